"""What remains of a saga, as the log tells it, its stages being opened."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from celery import Celery

from amends.backend.settings import settings_of
from amends.definition.serialization import error_json
from amends.definition.spread import spread_of
from amends.dispatch.children import attend
from amends.errors import Refused
from amends.log.answers import Publish
from amends.log.in_flight import Attend, Begin, Branches, Dispatched, Expand, Running, Waiting
from amends.log.saga_log import SagaLog, log_of

MOST_ITEMS: Final = 1_000
"""Items that a step may be done for in one stage."""


def dispatched(
    app: Celery, saga_id: str, longest_wait: float, lost: Iterable[str] = ()
) -> Dispatched:
    """Return what `SagaLog.dispatch_saga` does, a stage being opened whose branches the log cannot tell."""
    answer = log_of(app).dispatch_saga(saga_id, longest_wait=longest_wait, lost=lost)
    return expanded(app, saga_id, answer, longest_wait)


def expanded(app: Celery, saga_id: str, answer: Dispatched, longest_wait: float) -> Dispatched:
    """Return what a dispatch found, once all is opened that the log cannot open by itself: waits, and branches of stages."""
    found: list[Publish | Running | Waiting | Begin | Attend] = []
    owed: list[Expand | Begin | Attend] = []
    branches = None
    while True:
        match answer:
            case Branches():  # it tells of all that is owed by now
                branches = answer
                owed = [each for each in answer.found if isinstance(each, Begin | Attend)]
                found += [each for each in answer.found if not isinstance(each, Begin | Attend)]
            case Expand() | Begin() | Attend():
                owed = [answer]
            case None:  # another caller was first, or there is more to do
                pass
            case _:
                return answer
        if not owed:
            return branches and replace(branches, found=found)
        answer = _opened(app, saga_id, owed.pop(0), longest_wait, is_last=not owed)


def _opened(
    app: Celery,
    saga_id: str,
    answer: Expand | Begin | Attend,
    longest_wait: float,
    *,
    is_last: bool,
) -> Dispatched:
    match answer:
        case Expand():
            return _expanded(log_of(app), saga_id, answer, longest_wait)
        case Begin():
            return _begun(app, saga_id, answer, longest_wait)
        case Attend():
            return attend(app, saga_id, answer, longest_wait, is_last=is_last)


def _expanded(log: SagaLog, saga_id: str, answer: Expand, longest_wait: float) -> Dispatched:
    """Open the branches of a stage, or end it: its condition is false, or its list too long."""
    stage, name = answer.itinerary.wide_stages[answer.stage], answer.stage
    branches = stage.branches_of(answer.sources)
    if branches is None:
        return log.end_stage(saga_id, name, longest_wait=longest_wait)
    if len(branches) <= MOST_ITEMS:
        return log.expand_stage(saga_id, name, branches, longest_wait=longest_wait)
    step = stage.steps[0]
    error = Refused(f"{stage.items} has {len(branches)} items, and {MOST_ITEMS} are possible")
    outcome = answer.itinerary.records[step.name].outcome_of(Refused)
    told = {"error": error_json(error), "outcome": outcome}
    return log.end_stage(saga_id, name, path=step.name, **told, longest_wait=longest_wait)


def _begun(app: Celery, saga_id: str, answer: Begin, longest_wait: float) -> Dispatched:
    """Begin a wait, or leave it out."""
    record, time = answer.itinerary.records[answer.path], "omit"
    if record.is_wanted(answer.sources):
        wait, later = record.step.wait, spread_of(saga_id, settings_of(app).timer_spread)
        time = wait.ends_at(answer.sources, path=answer.path, later=later) if wait else ""
    outcome = record.outcome_of(TimeoutError)
    return log_of(app).open_wait(
        saga_id, answer.path, time=time, outcome=outcome, longest_wait=longest_wait
    )
