"""The receiver's open transaction, as the barrier uses it."""

from collections.abc import Mapping
from typing import Any, Protocol

from amends.barrier.statements import Statements

Values = Mapping[str, Any]


class Transaction(Protocol):
    """An adapter to a library's transaction. What its statements raise has been through `conflicts.explained`."""

    statements: Statements

    def run(self, statement: str, values: Values) -> int:
        """Run a statement of `statements`; return how many rows it changed."""

    def read(self, statement: str, values: Values) -> tuple[Any, ...] | None:
        """Run a query; return its one row, or None."""

    def roll_back(self) -> None:
        """Take back all that the transaction has done."""

    def is_over(self) -> bool:
        """Tell whether it was committed or rolled back."""
