"""The barrier on a connection of Django."""

import re
from functools import cache
from typing import Any, Final

from amends.barrier.conflicts import explained
from amends.barrier.statements import statements_of
from amends.barrier.transaction import Values

_NAMED: Final = re.compile(r":(\w+)")


class DjangoTransaction:
    """The transaction of a connection, which ``transaction.atomic()`` has begun.

    connection: a connection, or the alias of one in DATABASES.

    Raises ``RuntimeError`` outside of ``atomic()``.
    """

    def __init__(self, connection: Any) -> None:
        if isinstance(connection, str):
            from django.db import connections  # noqa: PLC0415 - needed for an alias alone

            connection = connections[connection]
        self._connection = connection
        self.statements = statements_of(connection.vendor)
        if self.is_over():
            raise RuntimeError(
                f"no transaction is open on {connection.alias!r}, so the barrier's row would stay where the effect fails:"
                f" put both into `with transaction.atomic(using={connection.alias!r}):`"
            )

    def run(self, statement: str, values: Values) -> int:
        """Run a statement of `statements`; return how many rows it changed."""
        with explained(values.get("key")), self._connection.cursor() as cursor:
            cursor.execute(*positional(statement, values))
            count: int = cursor.rowcount
            return count

    def read(self, statement: str, values: Values) -> tuple[Any, ...] | None:
        """Run a query; return its one row, or None."""
        with explained(values.get("key")), self._connection.cursor() as cursor:
            cursor.execute(*positional(statement, values))
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row

    def roll_back(self) -> None:
        """Take back all that the innermost ``atomic()`` has done, at its end."""
        if self._connection.in_atomic_block:
            self._connection.set_rollback(True)
        else:
            self._connection.rollback()

    def is_over(self) -> bool:
        """Tell whether no transaction is open; inside of ``atomic()`` Django lets nobody end it."""
        return bool(self._connection.get_autocommit())


def positional(statement: str, values: Values) -> tuple[str, list[Any]]:
    """Return a statement and its values in the one form that Django has for each database."""
    text, names = _compiled(statement)
    return text, [values[name] for name in names]


@cache
def _compiled(statement: str) -> tuple[str, list[str]]:
    return _NAMED.sub("%s", statement), _NAMED.findall(statement)
