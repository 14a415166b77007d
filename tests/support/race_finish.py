"""What came of a race for a wait, held to what its sides were told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from amends import Handle
from amends.log.history import Event
from amends.log.saga_log import SagaLog
from amends.log.saga_state import Entry
from tests.support.engine_saga import engine_saga
from tests.support.race_sides import REFUSED, WAIT, Gives
from tests.support.wait_races import Race


@dataclass(frozen=True)
class Finish:
    """A saga that has ended, and what each side of its race was told."""

    race: Race
    handle: Handle[Any]
    told: tuple[str, ...]
    log: SagaLog

    def check(self) -> str:
        """Hold outcome, history, output and calls to what the sides were told. Returns who won."""
        assert self.entry.outcome == self.race.outcomes.get(self.told), self.told
        self._check_signals()
        self._check_wait()
        self._check_order()
        self._check_calls()
        self._ask_again()
        return f"{self.told[0]}, {self._voters[:1]}"

    @cached_property
    def entry(self) -> Entry:
        return self.log.read_saga(self.handle.id)

    @cached_property
    def _history(self) -> Sequence[Event]:
        return self.handle.history()

    @cached_property
    def _names(self) -> Sequence[tuple[str, str | None]]:
        return [(event.name, event.record) for event in self._history]

    @property
    def _givers(self) -> Iterator[tuple[Gives, str]]:
        """The sides that gave signals, and what they were told."""
        for side, told in zip(self.race.sides, self.told, strict=True):
            if isinstance(side, Gives):
                yield side, told

    @property
    def _signals(self) -> Sequence[Event]:
        return [event for event in self._history if event.name == "step.signalled"]

    @property
    def _voters(self) -> Sequence[str]:
        return [event.details["by"] for event in self._signals]

    def _check_signals(self) -> None:
        """Hold the history to them: what was accepted is there once, and what was refused is not."""
        saga_id, givers = self.handle.id, list(self._givers)
        before = {side.after.id_of(saga_id) for side, _ in givers if side.after}
        accepted = before | {side.id_of(saga_id) for side, told in givers if told != REFUSED}
        assert sorted(event.details["signal"] for event in self._signals) == sorted(accepted)

    def _check_wait(self) -> None:
        """Hold the wait to them: it ended by its signals if somebody was told so, and its output is what they said."""
        ended = not {"taken", "kept"}.isdisjoint(self.told)
        assert self._names.count(("step.waited", WAIT)) == int(ended)
        assert (self.handle.snapshot().steps[WAIT].state == "done") is ended
        if ended:
            votes = self.entry.sources[WAIT]
            votes = votes if isinstance(votes, list) else [votes]
            assert [each["voter"] for each in votes] == self._voters

    def _check_order(self) -> None:
        """Look that a signal that was kept came before its wait began, and any other one after."""
        assert self._names.count(("saga.cancelled", None)) == self.told.count("cancelled")
        assert self._names.count(("saga.finished", None)) == 1
        if self._signals:
            given, began = (
                self._names.index((f"step.{n}", WAIT)) for n in ("signalled", "waiting")
            )
            assert (given < began) is ("kept" in self.told)

    def _check_calls(self) -> None:
        """Look that each step was called once, and undone once if the saga turned back."""
        called = engine_saga.records(self.handle.id)
        assert len(called) == len(set(called)), called
        for name in {"a", "b"} & self.entry.itinerary.records.keys():
            if self.entry.outcome == "completed":
                assert name in called
            else:
                assert (name in called) is (f"{name}:undo" in called)

    def _ask_again(self) -> None:
        """Give each signal once more: it has the same answer, and changes nothing."""
        for side, told in self._givers:
            assert side.give(self.handle.id) == told
        assert self.handle.history() == self._history
