"""Races for a wait: a signal against a time-out, a cancel, the saga's end, another signal, and the beginning of the wait.

Each says who acts, and which outcome is right for what they are told. What else they are told is a contradiction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import Any, Final

from celery import Celery
from pydantic import BaseModel

import amends
from amends import ActRefused, Handle, Parallel, Saga, Step, Wait, activity
from amends.backend.script_constants import TIMED
from amends.definition.states import RecordState
from amends.dispatch.coordinator import advance
from amends.log.saga_log import SagaLog, log_of
from amends.worker.sweep import Sweep
from tests.support.clock import redis_now
from tests.support.engine_saga import Job, Part, engine_saga
from tests.support.log_driver import ERROR
from tests.support.log_view import view_of
from tests.support.sagas.shapes import step
from tests.support.sagas.wide import DISPATCHES

Act = Callable[[], str]
"""What a side does; it returns what it was told."""
Side = Callable[[Celery, str], Act]
"""Makes ready what a side does to a saga."""

WAIT: Final = "approval"
REFUSED: Final = "refused"
_AHEAD: Final = 0.003
"""Seconds until a time is over that a side sets."""


class Vote(BaseModel):
    voter: str


class RacedResult(BaseModel):
    job_id: str
    outcome: str


@activity(queue="elsewhere")
def act_elsewhere(job: Job) -> Part:
    """Stand in a queue that no worker consumes: a side does it by hand."""
    engine_saga.play(job)
    return Part(part="elsewhere")


# What the sides do


def voter_of(number: int) -> str:
    return f"voter-{number}"


def signal_id_of(saga_id: str, number: int) -> str:
    return f"{saga_id}-{number}"


def give(saga_id: str, *, voter: int, number: int) -> str:
    """Give a saga a signal; returns the answer, or that it was refused."""
    who = voter_of(voter)
    try:
        return str(
            amends.get(saga_id).signal(
                WAIT, Vote(voter=who), id=signal_id_of(saga_id, number), by=who
            )
        )
    except ActRefused:
        return REFUSED


def signal(voter: int, number: int | None = None) -> Side:
    """Let a voter give the signal of a number, by default the voter's own."""
    given = voter if number is None else number
    return lambda _, saga_id: lambda: give(saga_id, voter=voter, number=given)


def signal_after_another(app: Celery, saga_id: str) -> Act:
    """Have one signal counted before."""
    assert give(saga_id, voter=9, number=9) == "counted"
    return signal(0)(app, saga_id)


def cancel(_: Celery, saga_id: str) -> Act:
    handle = amends.get(saga_id)
    return lambda: "cancelled" if handle.cancel() else "late"


def skip(_: Celery, saga_id: str) -> Act:
    """Pass over the wait, as an operator does."""
    handle = amends.get(saga_id)

    def act() -> str:
        try:
            handle.skip(WAIT, output=Vote(voter="operator"))
        except ActRefused:
            return REFUSED
        return "skipped"

    return act


def sweep_at(field: str) -> Side:
    """Let a time of a saga be over in a moment, and sweep as a worker does until its wait has ended."""

    def ready(app: Celery, saga_id: str) -> Act:
        log, sweep = log_of(app), _sweep(app)
        view = view_of(log)
        at = int((redis_now(view.client) + _AHEAD) * 1000)
        code = log.read_saga(saga_id).itinerary.code_of(WAIT)
        view.client.hset(view.saga_key(saga_id), field.format(code), at)
        view.make_due(saga_id, TIMED + at)

        def act() -> str:
            while state_of(log, saga_id) is RecordState.WAITING:
                sweep.run_once()
            return ""

        return act

    return ready


@cache
def _sweep(app: Celery) -> Sweep:
    return Sweep(app, may_judge=lambda: False)


def fail_beside(app: Celery, saga_id: str) -> Act:
    """Let a step of another branch fail for good."""
    log = log_of(app)
    log.claim_step(saga_id, "b", token="racer", owner="racer", retries=0, brought="")

    def act() -> str:
        how = {"error": ERROR, "unknown": False, "refused": False, "outcome": "no_b", "link": ""}
        log.fail_step(saga_id, "b", token="racer", **how)
        advance(app, saga_id)
        return ""

    return act


def open_wait(app: Celery, saga_id: str) -> Act:
    """Complete the step before the wait, and go on to it."""
    log = log_of(app)
    log.claim_step(saga_id, "a", token="racer", owner="racer", retries=0, brought="")

    def act() -> str:
        log.complete_step(saga_id, "a", token="racer", output='{"part":"a"}', link="", message=None)
        advance(app, saga_id)
        return ""

    return act


def state_of(log: SagaLog, saga_id: str) -> RecordState:
    """Return the state of a saga's wait."""
    return log.read_saga(saga_id).records[WAIT].state


# The races


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


def elsewhere(name: str) -> Step[Any, Any]:
    return Step(act_elsewhere, name=name, compensation=None, outcome=f"no_{name}")


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
        sides=[signal(0), sweep_at("{}.w")],
        outcomes={("taken", ""): "completed", (REFUSED, ""): "no_approval"},
    ),
    "time_passed_over": Race(
        sagas=_sagas("passed_over", _A, vote(timeout=600.0, on_timeout="continue"), _B),
        sides=[signal(0), sweep_at("{}.w")],
        outcomes={("taken", ""): "completed", (REFUSED, ""): "completed"},
    ),
    "deadline": Race(
        sagas=_sagas("deadline", _A, vote()),
        sides=[signal(0), sweep_at("deadline")],
        outcomes={("taken", ""): "completed", (REFUSED, ""): "timed_out"},
    ),
    "cancel": Race(
        sagas=_sagas("cancel", _A, vote(), _B),
        sides=[signal(0), cancel],
        outcomes={
            ("taken", "cancelled"): "cancelled",
            ("taken", "late"): "completed",  # the rest of the saga was faster
            (REFUSED, "cancelled"): "cancelled",
        },
    ),
    "cancel_at_the_end": Race(
        sagas=_sagas("cancel_at_the_end", _A, vote()),
        sides=[signal(0), cancel],
        outcomes={("taken", "late"): "completed", (REFUSED, "cancelled"): "cancelled"},
    ),
    "skip": Race(
        sagas=_sagas("skip", _A, vote(), _B),
        sides=[signal(0), skip],
        outcomes={("taken", REFUSED): "completed", (REFUSED, "skipped"): "completed"},
    ),
    "two_givers": Race(
        sagas=_sagas("two_givers", _A, vote()),
        sides=[signal(0), signal(1)],
        outcomes={("taken", REFUSED): "completed", (REFUSED, "taken"): "completed"},
    ),
    "sibling": Race(
        sagas=_sagas("sibling", _A, Parallel(vote(), elsewhere("b"))),
        sides=[signal(0), fail_beside],
        outcomes={("taken", ""): "no_b", (REFUSED, ""): "no_b"},
    ),
    "same_id": Race(
        sagas=_sagas("same_id", _A, vote(), _B),
        sides=[signal(0, 5), signal(1, 5)],
        outcomes={("taken", "taken"): "completed"},
        first=frozenset(),
    ),
    "early": Race(
        sagas=_sagas("early", elsewhere("a"), vote(), _B),
        sides=[signal(0), open_wait],
        outcomes={("kept", ""): "completed", ("taken", ""): "completed"},
        first=frozenset({"kept"}),
        is_before=True,
    ),
    "last_count": Race(
        sagas=_sagas("last_count", _A, vote(count=3), _B),
        sides=[signal_after_another, signal(1), signal(2)],
        outcomes=dict.fromkeys(permutations(("counted", "taken", REFUSED)), "completed"),
        first=frozenset({"counted", "taken"}),
    ),
}


# What came of one


@dataclass(frozen=True, kw_only=True)
class Finish:
    """A saga after its race, and what its sides were told."""

    race: Race
    handle: Handle[Any]
    told: tuple[str, ...]

    def check(self, log: SagaLog) -> str:
        """Hold outcome, history, output and calls to what the sides were told. Returns who won."""
        saga_id, history = self.handle.id, self.handle.history()
        entry = log.read_saga(saga_id)
        assert entry.outcome == self.race.outcomes.get(self.told), self.told
        signals = {e.details["signal"]: e for e in history if e.name == "step.signalled"}
        assert len(signals) == sum(e.name == "step.signalled" for e in history), "one counts twice"
        assert set(signals) == self._given(saga_id)

        names = [(event.name, event.record) for event in history]
        ended_by_signals = {"taken", "kept"} & {*self.told} != set()
        assert names.count(("step.waited", WAIT)) == int(ended_by_signals)
        assert names.count(("saga.cancelled", None)) == self.told.count("cancelled")
        assert names.count(("saga.finished", None)) == 1
        is_done = self.handle.snapshot().steps[WAIT].state == "done"
        assert is_done is ended_by_signals
        if "kept" in self.told:
            assert names.index(("step.signalled", WAIT)) < names.index(("step.waiting", WAIT))
        elif signals:
            assert names.index(("step.waiting", WAIT)) < names.index(("step.signalled", WAIT))

        voters = [event.details["by"] for event in signals.values()]
        votes = entry.sources[WAIT] if ended_by_signals else []
        votes = votes if isinstance(votes, list) else [votes]
        assert [each["voter"] for each in votes] == (voters if ended_by_signals else [])
        self._check_calls(saga_id, is_forward=entry.outcome == "completed")
        self._ask_again(saga_id)
        return f"{self.told[0]} {voters[:1]}"

    def _given(self, saga_id: str) -> set[str]:
        """Return the ids of the signals that were told to be accepted."""
        accepted = {"taken", "counted", "kept"}
        ids = {self._signal_of(saga_id, n) for n, told in enumerate(self.told) if told in accepted}
        return ids | self._ahead(saga_id)

    def _signal_of(self, saga_id: str, side: int) -> str:
        is_same = self.race is RACES["same_id"]
        return signal_id_of(saga_id, 5 if is_same else side)

    def _ahead(self, saga_id: str) -> set[str]:
        is_ahead = signal_after_another in self.race.sides
        return {signal_id_of(saga_id, 9)} if is_ahead else set()

    def _check_calls(self, saga_id: str, *, is_forward: bool) -> None:
        """Hold each step to one call, and one undo if the saga turned back."""
        called = engine_saga.records(saga_id)
        assert len(called) == len(set(called)), called
        for name in ("a", "b"):
            if is_forward and name in self.handle.snapshot().steps and not self._is_elsewhere(name):
                assert name in called
            if not is_forward:
                assert (name in called) is (f"{name}:undo" in called)

    def _is_elsewhere(self, name: str) -> bool:
        return name == "a" and self.race.is_before

    def _ask_again(self, saga_id: str) -> None:
        """Give each signal again, under its id: it has its first answer."""
        answers = {"taken", "counted", "kept", REFUSED}
        before = self.handle.history()
        for number, told in enumerate(self.told):
            if told in answers and self.race.sides[number] is not skip:
                given = int(self._signal_of(saga_id, number).rpartition("-")[2])
                assert give(saga_id, voter=number, number=given) == told
        assert self.handle.history() == before
