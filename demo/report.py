"""What the demo ends with: the tables, and the verdict."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from demo.ledger import LedgerEntry, differences
from demo.plan import PlannedOrder
from demo.watching import ENDED


@dataclass(frozen=True, kw_only=True)
class OrderRecord:
    """One order after the demo: what was planned, what its saga says, and what the ledger says.

    `undone` names the steps that were undone; `channel` is the one that took the money, where it was kept.
    """

    order: PlannedOrder
    status: str
    outcome: str | None
    entry: LedgerEntry
    undone: tuple[str, ...] = ()
    channel: str | None = None

    @property
    def complaints(self) -> list[str]:
        """What is wrong with this order: its saga did not end, or the ledger does not fit; else nothing."""
        if self.status not in ENDED:
            return [f"the saga did not end: it is {self.status}"]
        return differences(self.order, self.outcome or self.status, self.entry)


def print_report(records: Sequence[OrderRecord], *, elapsed: float, console: Console) -> bool:
    """Print the tables and the verdict; return whether every saga ended and every order is consistent."""
    planned = Counter(record.order.expected for record in records)
    outcomes = Counter(record.outcome or record.status for record in records)
    rows = {name: (outcomes[name], planned[name]) for name in sorted({*planned, *outcomes})}
    console.print(_table(("outcome", "orders", "planned"), rows))
    undone = Counter(step for record in records for step in record.undone)
    if undone:
        console.print(_table(("step undone", "orders"), {name: (undone[name],) for name in undone}))
    channels = Counter(record.channel for record in records if record.channel is not None)
    console.print(
        _table(("paid through", "orders"), {name: (channels[name],) for name in channels})
    )
    console.print(
        f"{len(records)} sagas in {elapsed:.1f} s: {len(records) / elapsed:.1f} per second"
    )
    return _print_verdict(records, console)


def _table(heading: Sequence[str], rows: Mapping[str, Sequence[int]]) -> Table:
    table = Table()
    for column in heading:
        table.add_column(column, justify="left" if column == heading[0] else "right")
    for name, figures in rows.items():
        table.add_row(name, *(str(figure) for figure in figures))
    return table


def _print_verdict(records: Sequence[OrderRecord], console: Console) -> bool:
    wrong = [record for record in records if record.complaints]
    for record in wrong:
        console.print(
            f"{record.order.order_id} ({record.outcome or record.status}): {'; '.join(record.complaints)}",
            soft_wrap=True,
        )
    if wrong:
        console.print(f"NOT CONSISTENT: {len(wrong)} of {len(records)} orders", style="bold red")
        return False
    console.print(
        f"the ledger agrees: all {len(records)} sagas ended, and every order is consistent (what is completed was "
        "done once, of the others nothing is left)",
        style="bold green",
        soft_wrap=True,
    )
    return True
