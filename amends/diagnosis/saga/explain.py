"""Compose an explanation from the log, and from the broker if it answers. Nothing is written."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from celery import Celery

from amends.archive.lookup import examine_saga
from amends.definition.states import ENDED, RecordState, SagaStatus
from amends.diagnosis.saga.explanation import (
    CancelEffect,
    CompensationStart,
    Explanation,
    OperatorAction,
    OwedCompensation,
)
from amends.diagnosis.saga.kin import causes_of, parent_facts
from amends.diagnosis.saga.position import Positions, replicas_missing
from amends.diagnosis.saga.record_facts import Position, Situation
from amends.diagnosis.saga.record_view import View
from amends.diagnosis.saga.remedies import remedies
from amends.diagnosis.saga.stage_view import others_at_hand, present, stage_facts, undo_turns
from amends.diagnosis.saga.times.accounting import times_of
from amends.errors import UnknownSaga
from amends.log.queries.pivot import passed_pivot
from amends.log.saga_log import log_of

_DEEDS: Final = frozenset(
    {
        "saga.cancelled",
        "saga.retried",
        "saga.paused",
        "saga.resumed",
        "step.skipped",
        "step.signalled",
    }
)
_CERTAIN: Final = frozenset({RecordState.DONE, RecordState.SKIPPED})
_TAKEN: Final = _CERTAIN | {RecordState.UNKNOWN, RecordState.RUNNING}


def explain(app: Celery, saga_id: str) -> Explanation:
    """Explain a saga as it stands, and what it waits for in its children. Raises `UnknownSaga`, and `LogUnavailable`.

    What only the code of an app tells (its circuit breakers, which activities it knows) needs its modules imported:
    ``app.loader.import_default_modules()``.
    """
    return _explain(app, saga_id, follows=True)


def _explain(app: Celery, saga_id: str, *, follows: bool) -> Explanation:
    log = log_of(app)
    standing = examine_saga(app, saga_id)
    view = View(app, standing, log.children.read_children(standing.entry))
    positions = Positions(view, log)
    paths = present(view, positions)
    path = paths[0][0] if paths else None
    situation = _situation(view) or (paths[0][1] if paths else Situation.QUEUED)
    at = positions.position_of(path, situation) if path else None
    others = others_at_hand(view, positions, paths[1:])
    failures = tuple(view.record(each) for each in view.with_state(RecordState.STUCK))
    actions = tuple(_actions(view))
    pause, cancel = _pause(view, actions), _cancel(view)
    looked_at = view.standing.looked_at
    stage = stage_facts(view, paths, others)
    return Explanation(
        id=saga_id,
        saga=view.itinerary.saga,
        status=view.entry.status,
        situation=situation,
        now=view.now,
        since=view.standing.last_event.at,
        events=view.standing.events,
        created_at=view.entry.created_at,
        begins_at=view.entry.begins_at,
        ended_at=view.entry.ended_at,
        deadline_at=view.entry.deadline_at if view.entry.is_forward else None,
        outcome=view.entry.outcome,
        reason=view.entry.reason,
        record=at.record if at else None,
        remaining=tuple(view.standing.remaining),
        claim=at.claim if at else None,
        wait=at.wait if at else None,
        circuit=at.circuit if at else None,
        message=at.message if at else None,
        is_taken=at.is_taken if at else None,
        replicas_missing=0 if situation is Situation.ENDED else replicas_missing(view, log),
        pause=pause,
        turn=_turn(view),
        failures=failures,
        actions=actions,
        next_at=_next_at(view, situation, [*([at] if at else []), *others]),
        looked_at=looked_at,
        overdue=max(0.0, view.now - looked_at) if looked_at else 0.0,
        cancel=cancel,
        remedies=tuple(
            remedies(
                situation,
                [*([at.record] if at else []), *(each.record for each in others)],
                failures,
                cancel,
                is_paused=pause is not None,
                stage=stage,
            )
        ),
        times=times_of(app, standing),
        stage=stage,
        parent=parent_facts(log, view.entry),
        causes=tuple(_causes(view, [each for each, _ in paths])) if follows else (),
    )


def _causes(view: View, paths: Sequence[str]) -> Iterator[Explanation]:
    waiting = [path for path in paths if view.records[path].state is RecordState.WAITING]
    for saga_id in causes_of([child for path in waiting if (child := view.child_of(path))]):
        with suppress(UnknownSaga):  # it was not started yet
            yield _explain(view.app, saga_id, follows=False)


def _situation(view: View) -> Situation | None:
    """Tell what a saga is at that has ended, or is stuck; None for one whose records tell it."""
    if view.entry.status in ENDED:
        return Situation.ENDED
    return Situation.STUCK if view.entry.status is SagaStatus.STUCK else None


def _next_at(view: View, situation: Situation, positions: Sequence[Position]) -> float | None:
    """Tell when something happens by itself, at the latest: to one of these."""
    if not positions:
        return None if situation is Situation.QUEUED else view.standing.looked_at
    return min((each.next_at for each in positions if each.next_at is not None), default=None)


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
        frame=view.entry.frame,
    )


def _cancel(view: View) -> CancelEffect:
    if not view.entry.is_forward or view.entry.status in ENDED:
        return CancelEffect(is_possible=False)
    if pivot := passed_pivot(view.entry):
        return CancelEffect(is_possible=False, pivot=pivot)
    records, turns = view.itinerary.records, undo_turns(view)
    taken = [
        path
        for path, record in view.records.items()
        if record.state in _TAKEN and not records[path].compensates
    ]
    return CancelEffect(
        is_possible=True,
        undoes=tuple(
            _owed(view, path, turns.get(path))
            for path in view.standing.owed
            if records[path].compensates  # and no verification
        ),
        keeps=tuple(
            path
            for path in taken
            if records[path].step.compensation is None and records[path].step.wait is None
        ),
    )


def _owed(view: View, path: str, turn: int | None) -> OwedCompensation:
    plan = view.plan(path)
    return OwedCompensation(
        path=path,
        task=plan.call.task,
        undoes=plan.compensated_path,
        is_certain=view.records[plan.compensated_path].state in _CERTAIN,
        turn=turn,
        child=child.id if (child := view.child_of(path)) else None,
    )
