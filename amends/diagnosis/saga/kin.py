"""The parent of a saga and its children, in an explanation. Moments are seconds since 1970 by the log's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from amends.definition.itinerary import RecordPlan
from amends.definition.states import ENDED, RecordState, SagaStatus
from amends.errors import UnknownSaga
from amends.log.queries.children import ChildState
from amends.log.queries.pivot import passed_pivot
from amends.log.reads import Reads
from amends.log.saga_state import Entry

MOST_CAUSES: Final = 3
"""Sagas beneath one that are told of as why it waits."""


@dataclass(frozen=True, kw_only=True)
class ChildFailure:
    """What a saga does when a child of it has turned back."""

    on_failure: Literal["compensate", "continue"]
    outcome: str
    has_passed_pivot: bool


@dataclass(frozen=True, kw_only=True)
class ChildFacts:
    """A saga that a record waits for, or waited for. All but its id is None where there is none yet, or no more.

    `record` is what it stands at, `since` when it came to its status, `waits_for` the children that it waits for itself,
    first those that are stuck.
    """

    id: str
    saga: str | None = None
    status: SagaStatus | None = None
    is_paused: bool = False
    record: str | None = None
    since: float | None = None
    error: str | None = None
    waits_for: tuple[ChildFacts, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ParentFacts:
    """The saga that the explained one is a step of; `status` is None where it is no longer in the log.

    It `is_waiting` for the end of the explained one. `failure` is what it does if that turns back, None once it goes
    back itself.
    """

    id: str
    step: str
    status: SagaStatus | None
    is_forward: bool
    is_waiting: bool
    failure: ChildFailure | None


def child_facts(of: ChildState) -> ChildFacts:
    """Describe a child, and what it waits for."""
    summary = of.summary
    if summary is None:
        return ChildFacts(id=of.id)
    return ChildFacts(
        id=of.id,
        saga=summary.saga,
        status=summary.status,
        is_paused=summary.paused,
        record=summary.record,
        since=summary.since,
        error=summary.error,
        waits_for=tuple(map(child_facts, awaited(of.children))),
    )


def awaited(children: Sequence[ChildState]) -> Sequence[ChildState]:
    """Return those of these children that have not ended, first those that are stuck."""
    return sorted((each for each in children if each.is_live), key=lambda each: each.rank)


def causes_of(children: Sequence[ChildState]) -> Sequence[str]:
    """Return the ids of the sagas why one waits that waits for these: stuck ones, or paused ones, or else the first."""
    lines = [line for each in awaited(children) for line in each.lines]
    stuck = [line[-1].id for line in lines if line[-1].is_stuck]
    paused = [each.id for line in lines for each in line if each.summary and each.summary.paused]
    found = [*stuck, *paused] or [line[-1].id for line in lines[:1]]
    return [*dict.fromkeys(found)][:MOST_CAUSES]


def child_failure(entry: Entry, plan: RecordPlan) -> ChildFailure:
    """Tell what a saga does when its child at a step has turned back."""
    return ChildFailure(
        on_failure=plan.step.on_failure,
        outcome=plan.outcome_of(Exception),
        has_passed_pivot=passed_pivot(entry) is not None,
    )


def parent_facts(reads: Reads, entry: Entry) -> ParentFacts | None:
    """Describe the saga that one is a step of, None where it is none."""
    if entry.parent is None:
        return None
    name, step = entry.parent
    try:
        parent = reads.read_saga(name)
    except UnknownSaga:
        return ParentFacts(
            id=name, step=step, status=None, is_forward=False, is_waiting=False, failure=None
        )
    paths = (step, f"{step}:undo")
    states = [parent.records[path].state for path in paths if path in parent.records]
    is_forward = parent.is_forward and parent.status not in ENDED
    return ParentFacts(
        id=name,
        step=step,
        status=parent.status,
        is_forward=is_forward,
        is_waiting=RecordState.WAITING in states,
        failure=child_failure(parent, parent.itinerary.records[step]) if is_forward else None,
    )
