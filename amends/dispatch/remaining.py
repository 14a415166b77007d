"""What remains of a saga, as the log tells it, its stages being opened."""

from collections.abc import Iterable
from typing import Final

from celery import Celery

from amends.definition.serialization import error_json
from amends.errors import Refused
from amends.log.in_flight import Dispatched, Expand
from amends.log.saga_log import log_of

MOST_ITEMS: Final = 1_000
"""Items that a step may be done for in one stage."""


def dispatched(
    app: Celery, saga_id: str, longest_wait: float, lost: Iterable[str] = ()
) -> Dispatched:
    """Return what `SagaLog.dispatch_saga` does, a stage being opened whose branches the log cannot tell."""
    answer = log_of(app).dispatch_saga(saga_id, longest_wait=longest_wait, lost=lost)
    return expanded(app, saga_id, answer, longest_wait)


def expanded(app: Celery, saga_id: str, answer: Dispatched, longest_wait: float) -> Dispatched:
    """Return what a dispatch found; where that is a stage whose branches the log cannot tell, once it is opened."""
    log = log_of(app)
    while isinstance(answer, Expand):
        stage, name = answer.itinerary.wide_stages[answer.stage], answer.stage
        branches = stage.branches_of(answer.sources)
        if branches is None:
            answer = log.end_stage(saga_id, name, longest_wait=longest_wait)
        elif len(branches) <= MOST_ITEMS:
            answer = log.expand_stage(saga_id, name, branches, longest_wait=longest_wait)
        else:
            step = stage.steps[0]
            error = Refused(
                f"{stage.items} has {len(branches)} items, and {MOST_ITEMS} are possible"
            )
            outcome = answer.itinerary.records[step.name].outcome_of(Refused)
            told = {"error": error_json(error), "outcome": outcome}
            answer = log.end_stage(saga_id, name, path=step.name, **told, longest_wait=longest_wait)
    return answer
