"""What a run ends with: order by order whether log and ledger agree, the faults, the longest standstill."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.order_verdict import OrderVerdict
from tests.chaos.outage_verdict import OutagesVerdict, outages_table
from tests.chaos.standstill import Standstill

LONGEST_ALLOWED = 30.0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A whole run. `hit` and `missed` count the faults by kind: done, and found nothing to hit.

    `standstill` is the longest one, `gap` the longest time between two events whatever its cause. `outages` are
    those of the primary payment, in a run that is about them; `began` is in seconds since 1970.
    """

    orders: Sequence[OrderVerdict]
    hit: Mapping[str, int]
    missed: Mapping[str, int]
    standstill: Standstill | None
    gap: Standstill | None
    ended_by_themselves: Sequence[str]
    starts_raised: Sequence[str]
    began: float
    elapsed: float
    outages: OutagesVerdict | None = None

    @property
    def wrong(self) -> list[OrderVerdict]:
        """The orders that are not consistent, or whose sagas did not end."""
        return [order for order in self.orders if order.complaints]

    @property
    def stood_still(self) -> bool:
        """Whether a saga stood still for too long."""
        return self.standstill is not None and self.standstill.seconds >= LONGEST_ALLOWED

    @property
    def passed(self) -> bool:
        """Whether all is well."""
        return not self.wrong and not self.stood_still and not self.let_through

    @property
    def let_through(self) -> list[str]:
        """What is wrong with the outages."""
        return self.outages.complaints if self.outages is not None else []


def print_verdict(verdict: Verdict, *, console: Console, directory: Path) -> None:
    """Print the tables, what is wrong with which order, the longest standstill, and the verdict."""
    console.print(_outcomes(verdict))
    console.print(_faults(verdict))
    if verdict.outages is not None:
        console.print(outages_table(verdict.outages, began=verdict.began))
    for complaint in verdict.let_through:
        console.print(complaint, soft_wrap=True)
    for order in verdict.wrong:
        name, complaints = order.order.order_id, "; ".join(order.complaints)
        console.print(f"{name} ({order.outcome or order.status}): {complaints}", soft_wrap=True)
    for program, count in Counter(verdict.ended_by_themselves).items():
        console.print(f"{program} ended by itself {count} times, and was started again")
    for error, count in Counter(verdict.starts_raised).items():
        console.print(f"a start raised {error} {count} times, and was tried again", soft_wrap=True)
    if verdict.gap is not None:
        console.print(
            f"longest gap between two events, whatever its cause: {verdict.gap.gap:.1f} s, saga {verdict.gap.saga_id}"
        )
    console.print(f"longest standstill: {verdict.standstill or 'none'}", soft_wrap=True)
    faults = sum(verdict.hit.values())
    console.print(
        f"{len(verdict.orders)} orders and {faults} faults in {verdict.elapsed:.0f} s; "
        f"logs, events and histories are in {directory}",
        soft_wrap=True,
    )
    text, style = _sentence(verdict)
    console.print(text, style=style, soft_wrap=True)


def write_histories(verdict: Verdict, directory: Path) -> None:
    """Write the history of each wrong order, and of the longest standstill and gap, to `directory`."""
    worst = {found.saga_id for found in (verdict.standstill, verdict.gap) if found is not None}
    for order in verdict.orders:
        name = order.order.order_id
        if order.complaints or name in worst:
            lines = [
                json.dumps(
                    {"at": event.at, "name": event.name, "record": event.record, **event.details}
                )
                for event in order.history
            ]
            path = directory / f"history-{name}.jsonl"
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _sentence(verdict: Verdict) -> tuple[str, str]:
    """Return the verdict, and the style it is printed in."""
    count = len(verdict.orders)
    if verdict.wrong:
        return f"NOT CONSISTENT: {len(verdict.wrong)} of {count} orders", "bold red"
    if verdict.stood_still:
        text = f"STOOD STILL: all {count} orders are consistent, but a saga stood still for {LONGEST_ALLOWED:g} s"
        return text, "bold red"
    if verdict.let_through:
        text = f"THE CIRCUIT DID NOT HOLD: all {count} orders are consistent"
        return text, "bold red"
    text = f"all {count} sagas ended, log and ledger agree on every order, and none stood still for {LONGEST_ALLOWED:g} s"
    return text, "bold green"


def _outcomes(verdict: Verdict) -> Table:
    planned = Counter(order.order.expected for order in verdict.orders)
    found = Counter(order.outcome or order.status or "not started" for order in verdict.orders)
    table = _table("outcome", "orders", "planned")
    for name in sorted({*planned, *found}):
        table.add_row(name, str(found[name]), str(planned[name]))
    return table


def _faults(verdict: Verdict) -> Table:
    table = _table("fault", "done", "found nothing to hit")
    for kind in sorted({*verdict.hit, *verdict.missed}):
        table.add_row(kind, str(verdict.hit.get(kind, 0)), str(verdict.missed.get(kind, 0)))
    return table


def _table(first: str, *others: str) -> Table:
    table = Table()
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table
