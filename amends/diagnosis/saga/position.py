"""The position of a record: with a worker, waiting for its time, or in a message."""

from kombu.exceptions import OperationalError

from amends.breaker.circuits import circuit_named
from amends.diagnosis.saga.explanation import Circuit, Claim, Message, Wait
from amends.diagnosis.saga.record_view import View
from amends.dispatch.broker import queue_length
from amends.dispatch.custody import Custody
from amends.dispatch.routing import queue_of, watched_queue
from amends.errors import ConfigurationError, LogUnavailable
from amends.log.liveness import looked_at_after, loss_of
from amends.log.saga_log import SagaLog


def claim_of(view: View, log: SagaLog, path: str) -> Claim:
    """Return the claim of a running record."""
    held = view.records[path].claim
    assert held is not None  # noqa: S101 - it runs
    owner = held.owner
    limit = held.claimed_at + view.plan(path).call.start_to_close_timeout
    heartbeat = log.workers.read_heartbeat(owner.worker) if owner else None
    at, age = held.claimed_at, view.now - held.claimed_at
    lost = loss_of(owner, heartbeat, claimed_at=at, age=age) if owner else None
    return Claim(
        worker=heartbeat.node if heartbeat else "",
        pid=owner.pid if owner else "",
        message=owner.message if owner else "",
        since=at,
        soft_limit_at=limit,
        hard_limit_at=limit + view.settings.hard_limit_after,
        given_up_at=held.given_up_at,
        heartbeat_age=heartbeat.age if heartbeat else None,
        lost="death" if lost == "worker_death" else lost,
    )


def wait_of(view: View, path: str) -> Wait | None:
    """Return the wait of a record for its next attempt, or None."""
    until = view.records[path].waits_until or 0.0
    is_unsent = view.is_unsent and not view.is_unregistered
    if until <= view.now and not (until and is_unsent):
        return None
    return Wait(until=until, by="log" if is_unsent else "message")


def circuit_of(view: View, path: str) -> Circuit | None:
    """Return the present state of the circuit breaker that did not let a record's last call through, or None."""
    name = view.records[path].circuit
    if name is None:
        return None
    breaker = circuit_named(name)
    try:
        seen = breaker.snapshot() if breaker else None
    except (LogUnavailable, ConfigurationError):
        seen = None
    if seen is None:
        return Circuit(name=name, state=None, retry_after=None, by="", why="")
    return Circuit(
        name=name, state=seen.state, retry_after=seen.retry_after, by=seen.by, why=seen.why
    )


def message_of(view: View, log: SagaLog, path: str) -> Message:
    """Return the message of the next record. The broker is asked for the length of its queue."""
    fields, length, away = view.entry.fields, None, None
    is_advance = fields.get("advance") == fields["sent"]
    queue, _ = watched_queue(view.app, None if is_advance else view.plan(path), view.entry.id)
    try:
        length = queue_length(view.app, queue) if queue else None
    except OperationalError as error:
        away = str(error)
    sent_at, times = view.entry.sent_at or view.now, view.entry.dispatches
    custody = Custody(log.workers.read_heartbeats(), may_judge=True)
    number = int(fields["messages"]) - len(view.standing.remaining) + 1
    holder = custody.holder_of(view.entry.id, path, number=number)
    is_judged = not away and not holder and (length == 0 or custody.may_consume(queue))
    return Message(
        queue=queue,
        queue_length=length,
        broker_error=away,
        sent_at=sent_at,
        dispatches=times,
        lost_at=sent_at + looked_at_after(times, length) if is_judged else None,
        holder=holder.node or holder.worker if holder else "",
    )


def is_taken(view: View, log: SagaLog, path: str) -> bool | None:
    """Tell whether a live worker knows a record's task and consumes its queue; None where none says what it takes."""
    profiles, plan = log.profiles.read_live(), view.plan(path)
    queue = queue_of(view.app, plan, view.entry.id)
    return any(each.takes(plan.call.task, queue) for each in profiles) if profiles else None


def replicas_missing(view: View, log: SagaLog) -> int:
    """Return how many of the replicas that `amends_wait_replicas` waits for do not follow the Redis of the saga."""
    wanted = view.settings.wait_replicas
    have = log.count_replicas(view.entry.id) if wanted else None
    return 0 if have is None else max(0, wanted - have)
