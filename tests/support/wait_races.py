"""Races for a wait: a signal against a time-out, a cancel, the saga's end, another signal, and the beginning of the wait.

Each says who acts, and which outcome is right for what they are told. Anything else that they are told is a contradiction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any, Final

from pydantic import BaseModel

from amends import Parallel, Saga, Step, Wait, activity
from tests.support.engine_saga import Job, Part
from tests.support.race_sides import (
    AHEAD,
    ANOTHER,
    BY_HAND,
    REFUSED,
    SIGNAL,
    WAIT,
    Gives,
    Side,
    Vote,
    cancel,
    fail_beside,
    open_wait,
    skip,
    sweep_at,
)
from tests.support.sagas.shapes import step
from tests.support.sagas.wide import DISPATCHES


class RacedResult(BaseModel):
    job_id: str
    outcome: str


@activity(queue="elsewhere")
def act_elsewhere(job: Job) -> Part:
    """Stand in a queue that no worker consumes: a side claims it and says how it ended."""
    raise AssertionError(f"a worker called it for {job.job_id}")


@dataclass(frozen=True, kw_only=True)
class Race:
    """One kind of race.

    sagas: by the way to the next step.
    sides: who acts, a process each.
    outcomes: of the saga, by what the sides are told.
    first: what the first side is told if it came first, where that says so.
    is_before: whether it begins before the wait does.
    """

    sagas: Mapping[str, Saga[Job, RacedResult]]
    sides: Sequence[Side]
    outcomes: Mapping[tuple[str, ...], str]
    first: frozenset[str] = frozenset({"taken"})
    is_before: bool = False


def vote(**how: Any) -> Wait[Vote]:
    return Wait(WAIT, Vote, **{"outcome": "no_approval", **how})


def by_hand() -> Step[Any, Any]:
    return Step(act_elsewhere, name=BY_HAND, compensation=None, outcome="no_hand")


def _sagas(name: str, *stages: Any) -> Mapping[str, Saga[Job, RacedResult]]:
    kinds = {"input": Job, "output": RacedResult}
    return {
        each: Saga(f"raced_{name}_{each}", steps=stages, dispatch=each, **kinds)
        for each in DISPATCHES
    }


_A, _B = step("a"), step("b")

RACES: Final[Mapping[str, Race]] = {
    "time_out": Race(
        sagas=_sagas("time_out", _A, vote(timeout=600.0), _B),
        sides=[SIGNAL, sweep_at("{}.w")],
        outcomes={("taken", ""): "completed", (REFUSED, ""): "no_approval"},
    ),
    "time_passed_over": Race(
        sagas=_sagas("passed_over", _A, vote(timeout=600.0, on_timeout="continue"), _B),
        sides=[SIGNAL, sweep_at("{}.w")],
        outcomes={("taken", ""): "completed", (REFUSED, ""): "completed"},
    ),
    "deadline": Race(
        sagas=_sagas("deadline", _A, vote()),
        sides=[SIGNAL, sweep_at("deadline")],
        outcomes={("taken", ""): "completed", (REFUSED, ""): "timed_out"},
    ),
    "cancel": Race(
        sagas=_sagas("cancel", _A, vote(), _B),
        sides=[SIGNAL, cancel],
        outcomes={
            ("taken", "cancelled"): "cancelled",
            ("taken", "late"): "completed",  # the rest of the saga was faster
            (REFUSED, "cancelled"): "cancelled",
        },
    ),
    "cancel_at_the_end": Race(
        sagas=_sagas("cancel_at_the_end", _A, vote()),
        sides=[SIGNAL, cancel],
        outcomes={("taken", "late"): "completed", (REFUSED, "cancelled"): "cancelled"},
    ),
    "skip": Race(
        sagas=_sagas("skip", _A, vote(), _B),
        sides=[SIGNAL, skip],
        outcomes={("taken", REFUSED): "completed", (REFUSED, "skipped"): "completed"},
    ),
    "two_givers": Race(
        sagas=_sagas("two_givers", _A, vote()),
        sides=[SIGNAL, ANOTHER],
        outcomes={("taken", REFUSED): "completed", (REFUSED, "taken"): "completed"},
    ),
    "sibling": Race(
        sagas=_sagas("sibling", _A, Parallel(vote(), by_hand())),
        sides=[SIGNAL, fail_beside],
        outcomes={("taken", ""): "no_hand", (REFUSED, ""): "no_hand"},
    ),
    "same_id": Race(
        sagas=_sagas("same_id", _A, vote(), _B),
        sides=[SIGNAL, replace(ANOTHER, number=0)],
        outcomes={("taken", "taken"): "completed"},
        first=frozenset(),
    ),
    "early": Race(
        sagas=_sagas("early", by_hand(), vote(), _B),
        sides=[SIGNAL, open_wait],
        outcomes={("kept", ""): "completed", ("taken", ""): "completed"},
        first=frozenset({"kept"}),
        is_before=True,
    ),
    "last_count": Race(
        sagas=_sagas("last_count", _A, vote(count=3), _B),
        sides=[replace(SIGNAL, after=AHEAD), ANOTHER, Gives(voter=2, number=2)],
        outcomes=dict.fromkeys(permutations(("counted", "taken", REFUSED)), "completed"),
        first=frozenset({"counted", "taken"}),
    ),
}
