"""Children of a saga as rows under its steps, and in a few words."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from amends.cli.formatting import duration, state_cell, words_of
from amends.cli.table import Cell
from amends.definition.states import ENDED, SagaStatus
from amends.log.queries.children import ChildState
from amends.log.queries.summary import SagaSummary

_MOST: Final = 5  # children of a child that have a row each
_ORDER: Final = ("stuck", "compensating", "running", "pending", "compensated", "completed")


def child_rows(child: ChildState, *, before: str, is_awaited: bool) -> Iterator[list[Cell | str]]:
    """Yield a row for a child, and beneath it for those that it waits for itself.

    before: what the name of a child begins with.
    is_awaited: whether its parent waits for it.
    """
    if child.summary:
        yield ["", f"{before}-> {child.id}", state_cell(child.summary.status, doing(child.summary))]
    else:
        told = "not started yet" if is_awaited else "no longer in the log"
        yield ["", f"{before}-> {child.id}", Cell(told, {"dim": True})]
    own = sorted((each for each in child.children if each.is_live), key=lambda each: each.rank)
    for each in own[:_MOST]:
        yield from child_rows(each, before=f"{before}   ", is_awaited=True)
    if own[_MOST:]:
        more = f"{before}   -> and {len(own) - _MOST:,} more"
        yield ["", Cell(more, {"dim": True}), Cell(counts(own[_MOST:]), {"dim": True})]


def doing(of: SagaSummary) -> str:
    """Say in a few words what a saga does now."""
    status = f"{of.status}{', paused' if of.paused else ''}"
    if of.status in ENDED:
        return status if of.status is SagaStatus.COMPLETED else f"{status}: {of.outcome}"
    if of.record is None or (of.status is SagaStatus.STUCK and of.state != "stuck"):
        return status
    if of.wanted is not None:
        waits = [f"{status}, waits at {of.record}", *words_of(of.wanted, of.signals, of.wait)]
        return ", ".join(waits)
    again = f", again in {duration(of.wait)}" if of.wait is not None else ""
    return f"{status} at {of.record}{again}"


def waits_for_children(children: Sequence[ChildState]) -> str | None:
    """Say in one line what a saga waits for that waits for these; None if for none."""
    if len(children) > 1:
        return f"{len(children):,} children: {counts(children)}"
    for child in children:
        line = max(child.lines, key=lambda each: each[-1].is_stuck)
        last = line[-1]
        return f"{last.id}, which is {last.summary.status if last.summary else 'not started yet'}"
    return None


def counts(children: Sequence[ChildState]) -> str:
    """Count children by their status; one counts as stuck that waits for such a one."""
    found = Counter(status_of(each) for each in children if each.summary)
    return ", ".join(f"{found[each]:,} {each}" for each in _ORDER if found[each])


def status_of(child: ChildState) -> str:
    """Name the status of a child: stuck, where what it waits for is."""
    if has_stuck(child):
        return SagaStatus.STUCK
    return child.summary.status if child.summary else SagaStatus.PENDING


def has_stuck(child: ChildState) -> bool:
    """Return whether a child is stuck, or waits for one that is."""
    return any(line[-1].is_stuck for line in child.lines)
