"""A model of one node of the log: a queue before the one thread that runs scripts.

As Redis does, the thread takes all requests that have come, runs them one after the other in the order in which they
came, syncs its file once, and answers all of them. Sagas come at random (Poisson), and each comes back for its next
transition some time after the answer. With one transition and no sync, what a request waits for its turn is M/D/1.
"""

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_AT_EITHER_END: Final = 0.1
"""Part of all transitions that is left out, while the queue fills and while it empties."""

Request = tuple[float, int]
"""When it came, and its place among the transitions of its saga; `_UPKEEP` for none of a saga."""

_UPKEEP: Final = -1


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a node is asked for. Times are in seconds.

    rate: sagas a second.
    costs: time of the thread for each transition of a saga.
    sync: time of a sync.
    gap: mean time from an answer to the saga's next transition, exponential.
    upkeep_rate, upkeep_cost: requests of workers beside sagas, a second, and the time of each.
    """

    rate: float
    costs: Sequence[float]
    sync: float = 0.0
    gap: float = 0.020
    upkeep_rate: float = 0.0
    upkeep_cost: float = 0.0

    @property
    def utilisation(self) -> float:
        """Part of the thread's time that is taken; syncs, which requests share, come on top."""
        return self.rate * sum(self.costs) + self.upkeep_rate * self.upkeep_cost


@dataclass(frozen=True, kw_only=True)
class Waits:
    """What each transition of a run waited: for its turn, and from its coming to its answer. In seconds, sorted."""

    turns: Sequence[float]
    answers: Sequence[float]

    @property
    def mean_turn(self) -> float:
        """Mean of the waits for a turn."""
        return sum(self.turns) / len(self.turns)

    def answer(self, percentile: int) -> float:
        """Return a percentile of the times to an answer."""
        return self.answers[len(self.answers) * percentile // 100]


def wait_of_md1(rate: float, cost: float) -> float:
    """Return the mean wait for a turn where each request takes `cost`, by the formula of Pollaczek and Khinchine."""
    utilisation = rate * cost
    return utilisation * cost / (2 * (1 - utilisation))


def simulate(load: Load, *, sagas: int, seed: int) -> Waits:
    """Run so many sagas through a node. The same seed gives the same run.

    Raises ``ValueError`` for a load that no thread carries.
    """
    if load.utilisation >= 1:
        raise ValueError(f"utilisation is {load.utilisation:.2f}: the queue grows without end")
    return _Node(load, sagas, random.Random(seed)).run()  # noqa: S311


@dataclass
class _Node:
    load: Load
    sagas: int
    draw: random.Random
    clock: float = 0.0
    turns: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)

    def run(self) -> Waits:
        waiting = self._come()
        while waiting:
            self.clock = max(self.clock, waiting[0][0])
            for _, stage in (taken := self._run_all(waiting)):
                if 0 <= stage < len(self.load.costs) - 1:
                    later = self.clock + self.draw.expovariate(1 / self.load.gap)
                    heapq.heappush(waiting, (later, stage + 1))
            self.answers += [self.clock - at for at, stage in taken if stage != _UPKEEP]
        return Waits(turns=sorted(_middle(self.turns)), answers=sorted(_middle(self.answers)))

    def _run_all(self, waiting: list[Request]) -> list[Request]:
        """Run all that have come by now, in their order, and sync once."""
        opened, taken = self.clock, []
        while waiting and waiting[0][0] <= opened:
            at, stage = heapq.heappop(waiting)
            if stage == _UPKEEP:
                self.clock += self.load.upkeep_cost
            else:
                self.turns.append(self.clock - at)
                self.clock += self.load.costs[stage]
            taken.append((at, stage))
        self.clock += self.load.sync
        return taken

    def _come(self) -> list[Request]:
        """Return the first request of each saga, and the upkeep meanwhile, as a heap."""
        at, found = 0.0, []
        for _ in range(self.sagas):
            at += self.draw.expovariate(self.load.rate)
            found.append((at, 0))
        upkeep = 0.0
        while self.load.upkeep_rate:
            upkeep += self.draw.expovariate(self.load.upkeep_rate)
            if upkeep > at:
                break
            found.append((upkeep, _UPKEEP))
        return sorted(found)


def _middle(values: list[float]) -> list[float]:
    cut = int(len(values) * _AT_EITHER_END)
    return values[cut : len(values) - cut]
