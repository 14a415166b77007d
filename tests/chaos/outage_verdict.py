"""The verdict over the outages of a run: whether more charges reached the primary than its breaker may let through."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from amends.breaker.snapshot import CircuitEvent
from amends.log.history import Event
from tests.chaos.circuit import Allowed, Limits, Outage, allowed, attempts_of, early_probes
from tests.chaos.order_verdict import OrderVerdict

PRIMARY = "process_payment"
FALLBACK = f"{PRIMARY}:fallback"


@dataclass(frozen=True, kw_only=True)
class OutageVerdict:
    """One outage: what it let through, what it may have, and the orders whose payment the fallback took meanwhile."""

    outage: Outage
    allowed: Allowed
    early: Sequence[CircuitEvent]
    through_fallback: int

    @property
    def complaints(self) -> list[str]:
        """What is wrong with it; nothing if the breaker kept its promise."""
        found = [
            f"a probe was granted too early, at {event.at:.3f}, by {event.by}"
            for event in self.early
        ]
        if self.outage.charges > self.allowed.charges:
            found.append(
                f"{self.outage.charges} charges reached the primary, {self.allowed.charges} may have: {self.allowed}"
            )
        if self.allowed.outside > self.allowed.probes + self.allowed.alone:
            found.append(
                f"{self.allowed.outside} attempts called while the circuit was not closed: {self.allowed}"
            )
        return found


@dataclass(frozen=True, kw_only=True)
class OutagesVerdict:
    """All outages of a run that was to have some."""

    outages: Sequence[OutageVerdict]

    @property
    def complaints(self) -> list[str]:
        """What is wrong with them; nothing if all is well."""
        found = [
            f"outage {number}: {complaint}"
            for number, outage in enumerate(self.outages, 1)
            for complaint in outage.complaints
        ]
        if not self.outages:
            found.append("there was no outage to judge")
        elif not any(outage.through_fallback for outage in self.outages):
            found.append("no order completed through the fallback in an outage")
        return found


def judge_outages(
    outages: Sequence[Outage], orders: Sequence[OrderVerdict], limits: Limits
) -> OutagesVerdict:
    """Judge the outages of a run by the histories of its orders."""
    attempts = [
        attempt
        for order in orders
        for attempt in attempts_of(order.order.order_id, order.history, PRIMARY)
    ]
    completed = [order.history for order in orders if order.outcome == "completed"]
    return OutagesVerdict(
        outages=[
            OutageVerdict(
                outage=outage,
                allowed=allowed(outage, attempts, limits),
                early=early_probes(outage.transitions, limits.reset_timeout),
                through_fallback=sum(_paid_by_fallback(history, outage) for history in completed),
            )
            for outage in sorted(outages, key=lambda outage: outage.began)
        ]
    )


def outages_table(verdict: OutagesVerdict, *, began: float) -> Table:
    """Draw a line for each outage: its charges, those that may be and their causes; `began` is when the run did."""
    # As narrow as a terminal of 80 columns.
    table = Table(box=box.SIMPLE_HEAD, padding=0)
    table.add_column("outage")
    headings = ("s", "charges", "may be", "counted", "under way", "probes", "alone", "opened")
    for heading in (*headings, "fallback"):
        table.add_column(heading, justify="right")
    for each in verdict.outages:
        may = each.allowed
        figures = (each.outage.charges, may.charges, may.counted, may.under_way, may.probes)
        others = (may.alone, may.openings, each.through_fallback)
        at = f"{each.outage.began - began:.0f}"
        table.add_row(_fault(each.outage), at, *map(str, (*figures, *others)))
    return table


def _paid_by_fallback(history: Sequence[Event], outage: Outage) -> bool:
    return any(
        event.name == "step.completed"
        and event.record == FALLBACK
        and outage.began <= event.at <= outage.ended
        for event in history
    )


def _fault(outage: Outage) -> str:
    names = {"down": "down", "lost_reply_rate": "mute", "error_rate": "errors"}
    return next(text for name, text in names.items() if name in outage.faults)
