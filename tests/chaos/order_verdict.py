"""The verdict over one order: whether its saga ended, and log and ledger agree."""

from collections.abc import Sequence
from dataclasses import dataclass

from amends.log.history import Event
from demo.ledger import LedgerEntry, differences
from demo.plan import PlannedOrder
from demo.watching import ENDED
from tests.chaos.histories import contradictions


@dataclass(frozen=True, kw_only=True)
class OrderVerdict:
    """One order: what was planned, what its saga came to, what the ledger says. `status` is None if never started."""

    order: PlannedOrder
    status: str | None
    outcome: str | None
    entry: LedgerEntry
    history: Sequence[Event]

    @property
    def complaints(self) -> list[str]:
        """What is wrong with this order; nothing if it is consistent."""
        if self.status is None:
            return ["the saga was never started"]
        found = contradictions(self.history)
        if self.status not in ENDED:
            return [f"the saga did not end: it is {self.status}", *found]
        if (self.status == "completed") != (self.outcome == "completed"):
            found.append(f"the saga is {self.status} with the outcome {self.outcome}")
        return [*found, *differences(self.order, self.outcome or "", self.entry)]
