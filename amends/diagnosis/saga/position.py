"""The positions of records: with a worker, waiting for their time, or in a message."""

from functools import cache, cached_property

from kombu.exceptions import OperationalError

from amends.breaker.circuits import circuit_named
from amends.definition.states import RecordState
from amends.diagnosis.saga.record_facts import Circuit, Claim, Message, Position, Situation, Wait
from amends.diagnosis.saga.record_view import View
from amends.dispatch.broker import queue_length
from amends.dispatch.custody import Custody
from amends.dispatch.routing import queue_of, watched_queue
from amends.errors import ConfigurationError, LogUnavailable
from amends.log.heartbeats import Heartbeat
from amends.log.liveness import looked_at_after, loss_of
from amends.log.profiles import Profile
from amends.log.saga_log import SagaLog


class Positions:
    """Looks where records of a saga are. What several of them have in common is read once."""

    def __init__(self, view: View, log: SagaLog) -> None:
        self._view = view
        self._log = log
        self._heartbeat = cache(log.workers.read_heartbeat)
        self._length = cache(self._length_of)

    def situation_of(self, path: str) -> Situation:
        """Tell what a record is at, in a saga that neither has ended nor is stuck."""
        view = self._view
        if view.records[path].state is RecordState.RUNNING:
            return Situation.LOST if self._claim(path).lost else Situation.RUNNING
        if view.entry.paused_at is not None:
            return Situation.PAUSED
        if view.records[path].state is RecordState.WAITING:
            return Situation.WAITING
        if self._wait(path):
            return Situation.DEFERRED if view.records[path].circuit else Situation.RETRYING
        return Situation.UNREGISTERED if view.is_unregistered(path) else Situation.QUEUED

    def position_of(self, path: str, situation: Situation) -> Position:
        """Tell where a record is. The broker is asked where its message is under way."""
        is_running = self._view.records[path].state is RecordState.RUNNING
        wait = None if is_running else self._wait(path)
        claim = self._claim(path) if is_running else None
        is_queued = situation is Situation.QUEUED
        message = self._message(path) if is_queued else None
        is_waiting = is_queued or situation is Situation.UNREGISTERED
        return Position(
            record=self._view.record(path),
            situation=situation,
            claim=claim,
            wait=wait,
            circuit=self._circuit(path) if wait else None,
            message=message,
            is_taken=self._is_taken(path) if is_waiting else None,
            next_at=self._next_at(path, situation, claim, wait, message),
        )

    def _next_at(
        self,
        path: str,
        situation: Situation,
        claim: Claim | None,
        wait: Wait | None,
        message: Message | None,
    ) -> float | None:
        """Tell when something happens by itself, at the latest."""
        if situation is Situation.RUNNING and claim:
            return claim.given_up_at
        if situation is Situation.WAITING and self._view.child_of(path):
            return None  # at its end
        looked_at = self._view.standing.looked_at
        if wait and situation is not Situation.PAUSED:
            return max(wait.until, looked_at or 0.0) if wait.by == "log" else wait.until
        if looked_at and message and message.lost_at:
            return max(message.lost_at, looked_at)
        return None if situation is Situation.QUEUED else looked_at

    def _claim(self, path: str) -> Claim:
        """Return the claim of a running record."""
        view = self._view
        held = view.records[path].claim
        assert held is not None  # noqa: S101 - it runs
        owner = held.owner
        limit = held.claimed_at + view.plan(path).call.start_to_close_timeout
        heartbeat: Heartbeat | None = self._heartbeat(owner.worker) if owner else None
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

    def _wait(self, path: str) -> Wait | None:
        """Return the wait of a record for its next attempt, or None."""
        view = self._view
        if view.records[path].state is RecordState.WAITING:
            return None
        until = view.records[path].waits_until or 0.0
        is_unsent = view.is_unsent(path) and not view.is_unregistered(path)
        if until <= view.now and not (until and is_unsent):
            return None
        return Wait(until=until, by="log" if is_unsent else "message")

    def _circuit(self, path: str) -> Circuit | None:
        """Return the present state of the circuit breaker that did not let a record's last call through, or None."""
        name = self._view.records[path].circuit
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
            name=name,
            state=seen.state,
            retry_after=seen.retry_after,
            by=seen.by,
            why=seen.why,
            forced_until=seen.forced_until,
        )

    def _message(self, path: str) -> Message:
        """Return the message of a record that comes next. The broker is asked for the length of its queue."""
        view = self._view
        sent = view.message(path)
        plan = None if sent.is_advance else view.plan(path)
        queue, _ = watched_queue(view.app, plan, view.entry.id)
        length, away = self._length(queue)
        sent_at, times = sent.sent_at or view.now, sent.dispatches
        holder = self._custody.holder_of(view.entry.id, path, number=sent.number)
        is_judged = not away and not holder and (length == 0 or self._custody.may_consume(queue))
        return Message(
            queue=queue,
            queue_length=length,
            broker_error=away,
            sent_at=sent_at,
            dispatches=times,
            lost_at=sent_at + looked_at_after(times, length) if is_judged else None,
            holder=holder.node or holder.worker if holder else "",
        )

    def _length_of(self, queue: str | None) -> tuple[int | None, str | None]:
        """Return the length of a queue, or None and why the broker did not say."""
        try:
            return queue_length(self._view.app, queue) if queue else None, None
        except OperationalError as error:
            return None, str(error)

    @cached_property
    def _custody(self) -> Custody:
        return Custody(self._log.workers.read_heartbeats(), may_judge=True)

    @cached_property
    def _profiles(self) -> list[Profile]:
        return [*self._log.profiles.read_live()]

    def _is_taken(self, path: str) -> bool | None:
        """Tell whether a live worker knows a record's task and consumes its queue; None where none says what it takes."""
        plan = self._view.plan(path)
        queue = queue_of(self._view.app, plan, self._view.entry.id)
        if not self._profiles:
            return None
        return any(each.takes(plan.call.task, queue) for each in self._profiles)


def replicas_missing(view: View, log: SagaLog) -> int:
    """Return how many of the replicas that `amends_wait_replicas` waits for do not follow the Redis of the saga."""
    wanted = view.settings.wait_replicas
    have = log.count_replicas(view.entry.id) if wanted else None
    return 0 if have is None else max(0, wanted - have)
