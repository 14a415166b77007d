"""The verdict over the orders of a run: whether every saga ended, and its log agrees with the services' ledger."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from demo.orders import PlannedOrder
from demo.sandbox import LedgerEntry

ENDED = frozenset({"completed", "compensated"})
AT_REST = ENDED | {"stuck"}


@dataclass(frozen=True, kw_only=True)
class OrderRecord:
    """One order after a run: its plan, its saga, its ledger entry. `status` is None if the saga never started."""

    planned: PlannedOrder
    status: str | None
    outcome: str | None
    entry: LedgerEntry

    @property
    def ended_as(self) -> str:
        """The saga's outcome, or else its status."""
        return self.outcome or self.status or "not started"

    @property
    def complaints(self) -> list[str]:
        """What is wrong with this order; nothing if it is consistent."""
        if self.status is None:
            return ["the saga was never started"]
        if self.status not in ENDED:
            return [f"the saga did not end: it is {self.status}"]
        found = differences(self.planned, self.outcome, self.entry)
        if (self.status == "completed") != (self.outcome == "completed"):
            found.append(f"the saga is {self.status} with the outcome {self.outcome}")
        return found

    def __str__(self) -> str:
        """Return the order's id, how it ended, and its complaints."""
        return f"{self.planned.id} ({self.ended_as}): {'; '.join(self.complaints)}"


def differences(planned: PlannedOrder, outcome: str | None, entry: LedgerEntry) -> list[str]:
    """Return the contradictions between a saga's outcome and the ledger; nothing if they are consistent.

    A completed order has each of its effects once. Any other has none in force: each is compensated.
    """
    done = outcome == "completed"
    reserved = {product: units for product, units in entry.reserved.items() if units}
    expected: Mapping[str, tuple[object, object]] = {
        "reserved": (reserved, planned.units if done else {}),
        "charged": (entry.charged, planned.order.total_amount if done else Decimal(0)),
        "charges less refunds": (entry.charges - entry.refunds, int(done)),
        "authorizations": (entry.authorizations, planned.authorizations if done else 0),
        "invoices": (entry.invoices, planned.invoices if done else 0),
        "shipments": (entry.shipments, planned.shipments if done else 0),
        "duplicates": (entry.duplicates, 0),
    }
    found = [
        f"{effect}: {found}, expected {wanted}"
        for effect, (found, wanted) in expected.items()
        if found != wanted
    ]
    # A notification cannot be unsent, and one that fails fails no order.
    if entry.notifications > 1:
        found.append(f"notifications: {entry.notifications}, expected at most 1")
    return found


def count_table(*headings: str, rows: Mapping[str, Sequence[object]]) -> Table:
    """Return a table of figures, by the names in its first column."""
    table = Table()
    for heading in headings:
        table.add_column(heading, justify="left" if heading == headings[0] else "right")
    for name, figures in rows.items():
        table.add_row(name, *map(str, figures))
    return table


def outcomes_table(records: Sequence[OrderRecord], *, of: str = "orders") -> Table:
    """Return the table of the outcomes, beside those planned; `of` says of what they are."""
    planned = Counter(record.planned.expected for record in records)
    found = Counter(record.ended_as for record in records)
    rows = {name: (found[name], planned[name]) for name in sorted({*planned, *found})}
    return count_table("outcome", of, "planned", rows=rows)


def print_wrong(records: Sequence[OrderRecord], console: Console) -> bool:
    """Print what is wrong with which order; return whether anything is."""
    wrong = [record for record in records if record.complaints]
    for record in wrong:
        console.print(str(record))
    if wrong:
        console.print(f"NOT CONSISTENT: {len(wrong)} of {len(records)} orders", style="bold red")
    return bool(wrong)
