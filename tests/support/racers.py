"""Processes that act on the same sagas at the same moments, each with connections of its own."""

import multiprocessing
import time
import traceback
from collections.abc import Sequence
from random import Random
from typing import Any, Final, Self

from celery import Celery

from tests.support.race_sides import Act
from tests.support.wait_races import RACES, Race

_MOST_WAIT: Final = 60.0
_LEAD = 0.002
"""Seconds after the barrier at which a side acts."""
_JITTER: Final = 0.001
_STEP, _MOST_LEAD = 0.0001, 0.05


class Racers:
    """One process for each side of a race, for as long as the context is open.

    A barrier lets the sides begin each race together; then each waits for a moment that it draws. The first side moves its own
    towards the moment at which the other one wins: later when it was first, sooner when it was not, and by twice as much each time it
    was so again. So both come first, however long each takes on this machine.

    app: whose broker and log they use.
    """

    def __init__(self, app: Celery) -> None:
        self._conf = {
            name: app.conf[name]
            for name in (
                "broker_url",
                "amends_backend",
                "amends_compensation_queue",
                "task_default_queue",
            )
        }
        self._context = multiprocessing.get_context("spawn")
        self._barriers = {sides: self._context.Barrier(sides) for sides in (2, 3)}
        self._lines: list[Any] = []
        self._processes: list[Any] = []

    def __enter__(self) -> Self:
        for number in range(max(self._barriers)):
            line, end = self._context.Pipe()
            process = self._context.Process(
                target=_serve, args=(number, end, self._conf, self._barriers), daemon=True
            )
            process.start()
            self._lines.append(line)
            self._processes.append(process)
        return self

    def __exit__(self, *_: object) -> None:
        for line in self._lines:
            line.send(None)
        for process in self._processes:
            process.join(_MOST_WAIT)

    def race(self, name: str, saga_ids: Sequence[str], *, seed: int) -> list[tuple[str, ...]]:
        """Let the sides of a race act on each saga in turn; returns what each side was told, by saga."""
        lines = self._lines[: len(RACES[name].sides)]
        for line in lines:
            line.send((name, list(saga_ids), seed))
        answers = [line.recv() for line in lines]
        errors = [each for each in answers if isinstance(each, str)]
        if errors:
            self._barriers[len(lines)].reset()
        assert not errors, "\n".join(errors)
        return list(zip(*answers, strict=True))


def _serve(number: int, line: Any, conf: dict[str, Any], barriers: dict[int, Any]) -> None:
    app = Celery("racer")
    app.conf.update(conf)
    app.set_default()
    leads: dict[str, Lead] = {}
    while call := line.recv():
        name, saga_ids, seed = call
        race = RACES[name]
        barrier = barriers[len(race.sides)]
        lead = leads.setdefault(name, Lead(race if number == 0 else None))
        draw = Random(f"{name} {seed} {number}")  # noqa: S311 - repeatable
        try:
            line.send(
                [_race(race.sides[number](app, each), barrier, lead, draw) for each in saga_ids]
            )
        except Exception:  # noqa: BLE001 - the test tells it
            barrier.abort()
            line.send(traceback.format_exc())


def _race(act: Act, barrier: Any, lead: "Lead", draw: Random) -> str:
    barrier.wait(_MOST_WAIT)
    until = time.perf_counter() + lead.seconds + draw.uniform(0.0, _JITTER)
    while time.perf_counter() < until:
        pass
    told = act()
    lead.adapt(told)
    return told


class Lead:
    """The moment at which a side acts; it moves for the first one, where what it is told says whether it came first."""

    def __init__(self, race: Race | None) -> None:
        self.seconds, self._step = _LEAD, _STEP
        self._first = race.first if race else frozenset()
        self._was_first: bool | None = None

    def adapt(self, told: str) -> None:
        """Move it by what the side was told."""
        if not self._first:
            return
        is_first = told in self._first
        self._step = self._step * 2 if is_first is self._was_first else _STEP
        self._was_first = is_first
        moved = self.seconds + (self._step if is_first else -self._step)
        self.seconds = min(max(moved, 0.0), _MOST_LEAD)
