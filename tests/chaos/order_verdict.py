"""The verdict over one order: whether its saga ended, its history is possible, and log and ledger agree."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from amends.definition.itinerary import Itinerary
from amends.definition.paths import UNDO
from amends.diagnosis.saga.times.segments import Times
from amends.log.history import Event
from demo.verdict import ENDED, OrderRecord
from tests.chaos.approvals import Answer, wrongly_told

ONCE = ("step.completed", "step.compensated")


@dataclass(frozen=True, kw_only=True)
class ChildVerdict:
    """A child of an order's saga after a run."""

    id: str
    status: str
    history: Sequence[Event]
    itinerary: Itinerary

    @property
    def complaints(self) -> list[str]:
        """What is wrong with it."""
        ended = [] if self.status in ENDED else [f"the saga did not end: it is {self.status}"]
        found = [*ended, *contradictions(self.history, self.itinerary)]
        return [f"{self.id}: {complaint}" for complaint in found]


@dataclass(frozen=True, kw_only=True)
class OrderVerdict(OrderRecord):
    """One order after a run, with its saga's history and children, and what a person said to it."""

    history: Sequence[Event]
    children: Sequence[ChildVerdict] = ()
    answers: Sequence[Answer] = ()
    times: Times | None = None  #: As `explain` tells them; None if the saga is not in the log.

    @property
    def complaints(self) -> list[str]:
        """What is wrong with this order; nothing if it is consistent."""
        found = super().complaints
        if self.status is None:
            return found
        return [
            *found,
            *contradictions(self.history, self.planned.saga.itinerary),
            *wrongly_told(self.answers, self.history),
            *(complaint for child in self.children for complaint in child.complaints),
        ]


def contradictions(history: Sequence[Event], itinerary: Itinerary) -> list[str]:
    """Return what cannot be in the history of such a saga; nothing for a good one."""
    checks = (_ends_badly, _twice, _switched_too_early)
    return [
        *(complaint for check in checks for complaint in check(history)),
        *_compensated_out_of_order(history, itinerary),
        *_compensated_past_the_pivot(history, itinerary),
    ]


def _ends_badly(history: Sequence[Event]) -> Iterator[str]:
    names = [event.name for event in history]
    if names.count("saga.started") != 1 or names[0] != "saga.started":
        yield "it was not started once"
    if "saga.finished" in names:
        end = names.index("saga.finished")
        if _is_undone(history[end + 1 :]):
            end += 1 + names[end + 1 :].index("saga.finished")
        after = [name for name in names[end + 1 :] if name != "step.late"]
        if after:
            yield f"after its end: {', '.join(after)}"


def _is_undone(after: Sequence[Event]) -> bool:
    """Return whether a child that had ended was turned back by its parent, to its end."""
    turns = [event for event in after if event.name == "saga.compensating"]
    is_first = after[:1] == turns[:1] != []
    return (
        is_first
        and turns[0].details.get("outcome") == "undone"
        and any(event.name == "saga.finished" for event in after)
    )


def _twice(history: Sequence[Event]) -> Iterator[str]:
    counts = Counter((event.name, event.record) for event in history if event.name in ONCE)
    for (name, record), count in counts.items():
        if count > 1:
            yield f"{name} {count} times for {record}"


def _compensated_out_of_order(history: Sequence[Event], itinerary: Itinerary) -> Iterator[str]:
    """Hold compensations to the reverse order of start, but for branches of one stage.

    One on the way to a fallback is of an earlier time.
    """
    names = [event.name for event in history]
    if "saga.compensating" not in names:
        return
    turn = names.index("saga.compensating")
    started = _first_begun(history, "step.started", "step.waiting")
    early = _first_begun(history[:turn], "step.compensating")
    begun = [
        each for each in _first_begun(history[turn:], "step.compensating") if each not in early
    ]
    undone = [path.removesuffix(UNDO) for path in begun]
    pairs = [(first, later) for k, first in enumerate(undone) for later in undone[k + 1 :]]
    if not {*undone} <= {*started} or any(
        started.index(first) < started.index(later) and not _side_by_side(first, later, itinerary)
        for first, later in pairs
    ):
        yield f"compensated in the order {', '.join(begun)}; started in {', '.join(started)}"


def _side_by_side(one: str, other: str, itinerary: Itinerary) -> bool:
    """Return whether two records are in different branches of one stage."""
    branches = itinerary.branch_of(one), itinerary.branch_of(other)
    stages = {branch.partition(".")[0] for branch in branches}
    return branches[0] != branches[1] and len(stages) == 1


def _compensated_past_the_pivot(history: Sequence[Event], itinerary: Itinerary) -> Iterator[str]:
    """Hold that nothing is undone once the saga is past its point of no return."""
    pivots = {step.name for step in itinerary.steps if step.pivot}
    is_past = False
    for event in history:
        is_past = is_past or (event.name == "step.completed" and event.record in pivots)
        if is_past and event.name in ("saga.compensating", "step.compensating"):
            yield f"{event.name} {event.record or ''} past the point of no return".replace(
                "  ", " "
            )


def _first_begun(history: Sequence[Event], *names: str) -> list[str]:
    return list(dict.fromkeys(event.record or "" for event in history if event.name in names))


def _switched_too_early(history: Sequence[Event]) -> Iterator[str]:
    """Hold that a fallback started only when its primary was not done, or was compensated."""
    clear: set[str] = set()
    for event in history:
        path = event.record or ""
        failed = event.name == "step.failed" and event.details.get("state") == "failed"
        if failed or event.name == "step.compensated":
            clear.add(path.removesuffix(":undo"))
        primary = path.removesuffix(":fallback")
        if event.name == "step.started" and primary != path and primary not in clear:
            yield f"{path} started while {primary} may have taken effect"
