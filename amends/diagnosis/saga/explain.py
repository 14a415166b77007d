"""Compose an explanation from the log, and from the broker if it answers. Nothing is written."""

from collections.abc import Iterator, Sequence
from typing import Final

from celery import Celery

from amends.definition.states import ENDED, RecordState, SagaStatus
from amends.diagnosis.saga.explanation import (
    CancelEffect,
    Circuit,
    Claim,
    CompensationStart,
    Explanation,
    Message,
    OperatorAction,
    OwedCompensation,
    Situation,
    Wait,
)
from amends.diagnosis.saga.position import (
    circuit_of,
    claim_of,
    is_taken,
    message_of,
    replicas_missing,
    wait_of,
)
from amends.diagnosis.saga.record_view import View
from amends.diagnosis.saga.remedies import remedies
from amends.log.saga_log import log_of

_DEEDS: Final = frozenset(
    {"saga.cancelled", "saga.retried", "saga.paused", "saga.resumed", "step.skipped"}
)
_CERTAIN: Final = frozenset({RecordState.DONE, RecordState.SKIPPED})
_TAKEN: Final = _CERTAIN | {RecordState.UNKNOWN, RecordState.RUNNING}


def explain(app: Celery, saga_id: str) -> Explanation:
    """Explain a saga as it stands. Raises `UnknownSaga`, and `LogUnavailable`.

    What only the code of an app tells (its circuit breakers, which activities it knows) needs its modules imported:
    ``app.loader.import_default_modules()``.
    """
    log = log_of(app)
    view = View(app, log.examine_saga(saga_id))
    running = next(iter(view.with_state(RecordState.RUNNING)), None)
    path = running or next(iter(view.standing.remaining), None)
    record = view.record(path) if path else None
    claim = claim_of(view, log, running) if running else None
    wait = wait_of(view, path) if path and not running else None
    circuit = circuit_of(view, path) if path and wait else None
    situation = _situation(view, claim, wait, circuit)
    is_queued = situation is Situation.QUEUED
    message = message_of(view, log, path) if path and is_queued else None
    is_waiting = is_queued or situation is Situation.UNREGISTERED
    failures = tuple(view.record(each) for each in view.with_state(RecordState.STUCK))
    actions = tuple(_actions(view))
    pause, cancel = _pause(view, actions), _cancel(view)
    looked_at = view.standing.looked_at
    return Explanation(
        id=saga_id,
        saga=view.itinerary.saga,
        status=view.entry.status,
        situation=situation,
        now=view.now,
        since=view.standing.last_event.at,
        events=view.standing.events,
        created_at=view.entry.created_at,
        ended_at=view.entry.ended_at,
        deadline_at=view.entry.deadline_at if view.entry.is_forward else None,
        outcome=view.entry.outcome,
        reason=view.entry.reason,
        record=record,
        remaining=tuple(view.standing.remaining),
        claim=claim,
        wait=wait,
        circuit=circuit,
        message=message,
        is_taken=is_taken(view, log, path) if path and is_waiting else None,
        replicas_missing=0 if situation is Situation.ENDED else replicas_missing(view, log),
        pause=pause,
        turn=_turn(view),
        failures=failures,
        actions=actions,
        next_at=_next_at(view, situation, claim, wait, message),
        looked_at=looked_at,
        overdue=max(0.0, view.now - looked_at) if looked_at else 0.0,
        cancel=cancel,
        remedies=tuple(remedies(situation, record, failures, cancel, is_paused=pause is not None)),
    )


def _situation(
    view: View, claim: Claim | None, wait: Wait | None, circuit: Circuit | None
) -> Situation:
    status = view.entry.status
    if status in ENDED:
        return Situation.ENDED
    if status is SagaStatus.STUCK:
        return Situation.STUCK
    if claim:
        return Situation.LOST if claim.lost else Situation.RUNNING
    if view.entry.paused_at is not None:
        return Situation.PAUSED
    if wait:
        return Situation.DEFERRED if circuit else Situation.RETRYING
    return Situation.UNREGISTERED if view.is_unregistered else Situation.QUEUED


def _actions(view: View) -> Iterator[OperatorAction]:
    for event in view.standing.history:
        if event.name in _DEEDS:
            by, why = event.details.get("by"), event.details.get("why")
            yield OperatorAction(name=event.name, record=event.record, at=event.at, by=by, why=why)


def _pause(view: View, actions: Sequence[OperatorAction]) -> OperatorAction | None:
    if view.entry.paused_at is None or view.entry.status in ENDED:
        return None
    return next((action for action in reversed(actions) if action.name == "saga.paused"), None)


def _turn(view: View) -> CompensationStart | None:
    if view.entry.is_forward:
        return None
    turns = [event.at for event in view.standing.history if event.name == "saga.compensating"]
    return CompensationStart(
        at=turns[-1],
        outcome=view.entry.outcome or "",
        error=view.entry.error,
    )


def _cancel(view: View) -> CancelEffect:
    if not view.entry.is_forward or view.entry.status in ENDED:
        return CancelEffect(is_possible=False)
    records = view.itinerary.records
    taken = [
        path
        for path, plan in records.items()
        if not plan.compensates and view.records[path].state in _TAKEN
    ]
    return CancelEffect(
        is_possible=True,
        undoes=tuple(_owed(view, path) for path in view.standing.owed),
        keeps=tuple(path for path in taken if records[path].step.compensation is None),
    )


def _owed(view: View, path: str) -> OwedCompensation:
    plan = view.plan(path)
    return OwedCompensation(
        path=path,
        task=plan.call.task,
        undoes=plan.compensated_path,
        is_certain=view.records[plan.compensated_path].state in _CERTAIN,
    )


def _next_at(
    view: View,
    situation: Situation,
    claim: Claim | None,
    wait: Wait | None,
    message: Message | None,
) -> float | None:
    """Tell when something happens by itself, at the latest."""
    if situation is Situation.RUNNING and claim:
        return claim.given_up_at
    looked_at = view.standing.looked_at
    if wait and situation is not Situation.PAUSED:
        return max(wait.until, looked_at or 0.0) if wait.by == "log" else wait.until
    if looked_at and message and message.lost_at:
        return max(message.lost_at, looked_at)
    return None if situation is Situation.QUEUED else looked_at
