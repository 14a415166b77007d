"""What is wrong with the sagas of two releases after a run; nothing, if each did all or took all back."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from amends.log.saga_log import SagaLog
from amends.log.saga_state import Entry
from tests.compatibility.receiver import Receiver

SHOWN: Final = 10
MOST_MESSAGES: Final = 300
"""Of one saga: more are a message that goes round."""

_LINE: Final = {"long", "inline", "hasty"}
_ITEM: Final = re.compile(r"\[\d+\]")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found: `figures` to read, and what is `wrong`."""

    figures: Sequence[str]
    wrong: Sequence[str]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    def print(self, console: Console) -> None:
        """Print the figures, what is wrong, and the verdict."""
        for line in (*self.figures, *self.wrong[:SHOWN]):
            console.print(line)
        if len(self.wrong) > SHOWN:
            console.print(f"{len(self.wrong)} faults in all")
        told = "both releases agree" if self.passed else "THE RELEASES CONTRADICT EACH OTHER"
        console.print(told, style="bold green" if self.passed else "bold red")


def judge(log: SagaLog, receiver: Receiver, ids: Sequence[str]) -> Verdict:
    """Judge the sagas of a run."""
    wrong: list[str] = []
    ends: Counter[str] = Counter()
    most = 0
    for saga_id in ids:
        entry = log.read_saga(saga_id)
        name = entry.itinerary.saga
        ends[f"{name} {entry.status.value}"] += 1
        most = max(most, int(entry.fields["messages"]))
        calls = [call[0] for call in receiver.calls(saga_id)]
        faults = list(_faults(entry, receiver.effects(saga_id), calls))
        wrong += [f"{saga_id}: {each}" for each in faults]
    if not ids:
        wrong.append("no saga was started")
    figures = [
        ", ".join(f"{count} {end}" for end, count in sorted(ends.items())),
        f"at most {most} messages for a saga",
    ]
    return Verdict(figures=figures, wrong=wrong)


def _faults(entry: Entry, effects: dict[str, str], calls: Sequence[str]) -> Iterator[str]:
    in_force = {path for path, state in effects.items() if state == "made"}
    records = entry.itinerary.records
    match entry.status.value:
        case "completed":
            yield from _missing(entry, in_force)
        case "compensated":
            for path in sorted(in_force):
                step = records[_ITEM.sub("", path)].step
                if step.compensation:
                    yield f"it is compensated, and {path} is in force"
                elif getattr(step, "pivot", False):
                    yield f"it turned back beyond {path}, its point of no return"
        case "stuck" if entry.itinerary.saga == "pivot" and {"a", "b"} <= in_force:
            pass  # past its point of no return it waits for an operator
        case status:
            yield f"it is {status}: {entry.reason}, {entry.fields.get('states')}"
    if entry.itinerary.saga in _LINE:
        yield from _out_of_order(calls)
    if int(entry.fields["messages"]) > MOST_MESSAGES:
        yield f"it had {entry.fields['messages']} messages"


def _missing(entry: Entry, in_force: set[str]) -> Iterator[str]:
    """Yield the steps of a completed saga that have no effect, or two."""
    channels: Counter[str] = Counter(path.partition(":")[0] for path in in_force)
    steps = {step.name: step for step in entry.itinerary.steps}
    for name, step in steps.items():
        own = {path: n for path, n in channels.items() if _ITEM.sub("", path) == name}
        if step.on_failure == "compensate" and not own:
            yield f"it is completed, and {name} has no effect"
        yield from (
            f"it is completed, and {path} has {n} effects" for path, n in own.items() if n > 1
        )


def _out_of_order(calls: Sequence[str]) -> Iterator[str]:
    """Yield what of a row of steps began before its turn."""
    first: dict[str, int] = {}
    for k, call in enumerate(calls):
        first.setdefault(call, k)
    done = [first[step] for step in "abcde" if step in first]
    undone = [first[f"{step}:undo"] for step in "da" if f"{step}:undo" in first]
    if done != sorted(done) or undone != sorted(undone):
        yield f"it was called out of order: {', '.join(calls)}"
