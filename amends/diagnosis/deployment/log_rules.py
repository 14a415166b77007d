"""Rules about the saga log as a whole."""

from collections.abc import Iterator, Sequence
from typing import Final

from amends.backend.settings import Settings
from amends.backend.url import address_of
from amends.diagnosis.deployment.findings import Problem, Rule, Unseen, error, few, warning
from amends.diagnosis.deployment.log_state import LogState, is_in_process


@error("log.shards", fine="the saga log has as many shards as amends_shards says")
def _shards(log: LogState) -> Iterator[Problem]:
    if log.shards not in (None, log.settings.shards):
        yield Problem(
            what=f"the saga log has {log.shards} shards, and amends_shards says {log.settings.shards}",
            where=address_of(log.settings.backend),
            remedy=f"set amends_shards to {log.shards}: under another number no saga is found",
        )


@warning("log.shared", fine="the saga log has one app's workers")
def _shared(log: LogState) -> Iterator[Problem]:
    if log.heartbeats is None:
        raise Unseen
    apps: dict[str, tuple[str, set[str]]] = {}
    for each in log.profiles:
        _, queues = apps.setdefault(each.app, (each.name, set()))
        queues.update(each.queues)
    if len(apps) > 1:
        named = sorted(f"{name or 'an app'} ({few(queues)})" for name, queues in apps.values())
        yield Problem(
            what=f"workers of {len(apps)} apps use this saga log, by name, broker and default queue: {', '.join(named)}",
            where=address_of(log.settings.backend),
            remedy="give each an amends_namespace or a Redis of its own; if they are one app, the same name, broker_url and"
            " task_default_queue",
        )


@warning("log.newer", fine="this process can read every plan that live sagas have")
def _newer(log: LogState) -> Iterator[Problem]:
    if log.newer:
        yield Problem(
            what=f"a newer release of amends wrote the plans of live sagas, which this one cannot run: {few(log.newer)}",
            where=address_of(log.settings.backend),
            remedy="upgrade amends here; workers of that release carry them on, and a saga that met none is parked until one comes",
        )


@warning("log.lost_writes", fine="workers miss no transition that the saga log acknowledged")
def _lost_writes(log: LogState) -> Iterator[Problem]:
    if log.lost:
        sagas = {each.saga_id for each in log.lost}
        yield Problem(
            what=f"a failover or a restart lost {len(log.lost)} transitions that were acknowledged, of sagas {few(sagas)}",
            where=address_of(log.settings.backend),
            remedy="`celery saga doctor --after-failover` lists them; set amends_wait_replicas to the number of replicas, and"
            " appendfsync to always",
        )


@error("log.rights", fine="the saga log's user may run what scripts ask for")
def _rights(log: LogState) -> Iterator[Problem]:
    if log.denied:
        yield Problem(
            what=f"the saga log's user may not run {', '.join(log.denied).upper()}: where a saga needs it, it stands still",
            where=address_of(log.settings.backend),
            remedy="`celery -A APP saga doctor --acl USER` prints the ACL that is enough",
        )


@warning("schedule.left", fine="workers define each schedule of the saga log")
def _left_schedules(log: LogState) -> Iterator[Problem]:
    if not log.heartbeats:  # then all stand still, and that is told
        raise Unseen
    if left := [each.name for each in log.schedules if each.is_left]:
        yield Problem(
            what=f"no worker defines any more, so that nothing is started by: {few(left)}",
            where=address_of(log.settings.backend),
            remedy="import its module in a worker (`imports`), or `celery -A APP saga schedule NAME forget`",
        )


@error("schedule.failing", fine="each schedule can start its sagas")
def _failing_schedules(log: LogState) -> Iterator[Problem]:
    for each in log.schedules:
        if each.error and not each.is_left:
            yield Problem(
                what=f"schedule {each.name} cannot start its saga: {each.error}",
                where=f"its input, or {each.definition['saga']}",
                remedy="mend that; the tick is tried again until its catch_up is over, and is missed then",
            )


@warning("schedule.paused", fine="no schedule is paused")
def _paused_schedules(log: LogState) -> Iterator[Problem]:
    for each in log.schedules:
        if each.paused_at is not None:
            why = f": {each.why}" if each.why else ""
            yield Problem(
                what=f"schedule {each.name} is paused by {each.by or 'somebody'}{why}",
                where=address_of(log.settings.backend),
                remedy=f"`celery -A APP saga schedule {each.name} resume` once it may go on",
            )


@error("log.in_process", fine="the saga log outlives this process")
def in_process(settings: Settings) -> Iterator[Problem]:
    """Refuse a log that is for tests."""
    if is_in_process(settings):
        yield Problem(
            what="the saga log is in the memory of each process, for tests",
            where="amends_backend",
            remedy="set amends_backend to the URL of a Redis",
        )


@error("log.away", fine="the saga log answers")
def away(reason: str) -> Iterator[Problem]:
    """Say why the log was not read: `reason` is a sentence of the log's own."""
    if reason:
        yield Problem(
            what=reason,
            where="amends_backend",
            remedy="mend that, or wait for a failover that is under way; until then nothing is decided, and nothing is lost",
        )


RULES: Final[Sequence[Rule[LogState]]] = (
    *(_shards, _rights, _shared, _lost_writes, _newer),
    *(_left_schedules, _failing_schedules, _paused_schedules),
)
