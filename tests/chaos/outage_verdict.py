"""The verdict over the outages of a run: whether more charges reached the primary than its breaker may let through."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from amends.breaker.snapshot import CircuitEvent
from tests.chaos.circuit import Allowed, Limits, Outage, allowed, attempts_of, early_probes
from tests.chaos.order_verdict import OrderVerdict

PRIMARY = "process_payment"
FALLBACK = f"{PRIMARY}:fallback"
TOLD = {"down": "down", "lost_reply_rate": "mute", "error_rate": "errors"}


@dataclass(frozen=True, kw_only=True)
class OutageVerdict:
    """One outage: what it let through, what it may have, and the orders whose payment the fallback took meanwhile."""

    outage: Outage
    allowed: Allowed
    early: Sequence[CircuitEvent]
    through_fallback: int

    @property
    def complaints(self) -> Iterator[str]:
        """What is wrong with it; nothing if the breaker kept its promise."""
        may = self.allowed
        for event in self.early:
            yield f"a probe was granted too early, at {event.at:.3f}, by {event.by}"
        if self.outage.charges > may.charges:
            yield f"{self.outage.charges} charges reached the primary, {may.charges} may have: {may}"
        if may.outside > may.probes + may.alone:
            yield f"{may.outside} attempts called while the circuit was not closed: {may}"


def complaints_of(outages: Sequence[OutageVerdict]) -> list[str]:
    """Return what is wrong with the outages of a run that was to have some; nothing if all is well."""
    found = [
        f"outage {number}: {complaint}"
        for number, outage in enumerate(outages, 1)
        for complaint in outage.complaints
    ]
    if not outages:
        found.append("there was no outage to judge")
    elif not any(outage.through_fallback for outage in outages):
        found.append("no order completed through the fallback in an outage")
    return found


def judge_outages(
    outages: Sequence[Outage], orders: Sequence[OrderVerdict], limits: Limits
) -> list[OutageVerdict]:
    """Judge the outages of a run by the histories of its orders."""
    attempts = [attempt for order in orders for attempt in attempts_of(order.history, PRIMARY)]
    completed = [order for order in orders if order.outcome == "completed"]
    return [
        OutageVerdict(
            outage=outage,
            allowed=allowed(outage, attempts, limits),
            early=early_probes(outage.transitions, limits.reset_timeout),
            through_fallback=sum(_paid_by_fallback(order, outage) for order in completed),
        )
        for outage in sorted(outages, key=lambda outage: outage.began)
    ]


def outages_table(outages: Sequence[OutageVerdict], *, began: float) -> Table:
    """Draw a line for each outage: its charges, those that may be and their causes; `began` is when the run did."""
    # As narrow as a terminal of 80 columns.
    table = Table("outage", box=box.SIMPLE_HEAD, padding=0)
    headings = ("s", "charges", "may be", "counted", "under way", "probes", "alone", "opened")
    for heading in (*headings, "fallback"):
        table.add_column(heading, justify="right")
    for each in outages:
        may, opened = each.allowed, sum(e.name == "breaker.opened" for e in each.outage.meanwhile)
        figures = (each.outage.charges, may.charges, may.counted, may.under_way, may.probes)
        others = (may.alone, opened, each.through_fallback)
        told = next(text for name, text in TOLD.items() if name in each.outage.faults)
        table.add_row(told, f"{each.outage.began - began:.0f}", *map(str, (*figures, *others)))
    return table


def _paid_by_fallback(order: OrderVerdict, outage: Outage) -> bool:
    return any(
        (event.name, event.record) == ("step.completed", FALLBACK)
        and outage.began <= event.at <= outage.ended
        for event in order.history
    )
