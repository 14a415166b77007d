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


RULES: Final[Sequence[Rule[LogState]]] = (_shards, _rights, _shared, _lost_writes, _newer)
