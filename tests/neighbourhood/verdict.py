"""What is wrong with a neighbourhood after a run; nothing, if all went on as if each app were alone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console

from amends.breaker.snapshot import CircuitEvent
from amends.saga.snapshot import Snapshot
from tests.neighbourhood.watch import Watch

SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found: `figures` to read, `wrong` by kind of fault."""

    figures: Sequence[str]
    wrong: Mapping[str, Sequence[str]]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.wrong.values())

    def print(self, console: Console) -> None:
        """Print the figures, what is wrong, and the verdict."""
        for line in self.figures:
            console.print(line)
        for kind, found in self.wrong.items():
            for line in found[:SHOWN]:
                console.print(f"{kind}: {line}")
            if len(found) > SHOWN:
                console.print(f"{kind}: {len(found)} in all")
        told = "nobody troubled a neighbour" if self.passed else "NOT AS IF EACH WERE ALONE"
        console.print(told, style="bold green" if self.passed else "bold red")


def judge(
    snapshots: Sequence[Snapshot],
    *,
    calls: Counter[str],
    moves: Mapping[str, Sequence[CircuitEvent]],
    watch: Watch,
) -> Verdict:
    """Judge a run in which nobody was killed.

    snapshots: of every saga.
    calls: how often each step of each saga was called.
    moves: of the circuits.
    watch: what was seen of the queues.
    """
    return Verdict(
        figures=(
            f"{len(snapshots)} sagas, {calls.total()} calls",
            f"most messages: {watch.most[0]}, with {watch.most[1]} sagas alive",
        ),
        wrong={
            "not completed": list(_not_completed(snapshots)),
            "called more than once": [f"{each}, {n} times" for each, n in calls.items() if n > 1],
            "a queue grew": watch.grew,
            "a circuit opened": [
                f"{name}: {move.why}"
                for name, of_circuit in moves.items()
                for move in of_circuit
                if move.name == "breaker.opened"
            ],
        },
    )


def _not_completed(snapshots: Sequence[Snapshot]) -> Iterator[str]:
    for each in snapshots:
        if each.status != "completed":
            yield f"{each.id} is {each.status}, {each.reason or each.outcome}"
