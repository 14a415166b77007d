"""The database of an outbox, as the engine uses it."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from amends.barrier.conflicts import lacks_table, said_by_driver
from amends.errors import ConfigurationError, OutboxUnavailable, SagaError
from amends.outbox.statements import TABLE, Statements

Values = Mapping[str, Any]


class Connection(Protocol):
    """An adapter to a library's connection, with a transaction that is open."""

    statements: Statements

    def run(self, statement: str, values: Values) -> int:
        """Run a statement of `statements`; return how many rows it changed."""

    def rows(self, statement: str, values: Values) -> list[tuple[Any, ...]]:
        """Run a query; return its rows."""


class Database(Protocol):
    """A database whose table is read and changed in transactions of the engine's own."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """Open a transaction, and commit it at the end. Raises `OutboxUnavailable`, `ConfigurationError`."""


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Run statements of the engine; say what a failure means.

    doing: the end of "the database did not", for messages.

    Raises `ConfigurationError` if there is no table, `OutboxUnavailable` for all else that a library or the network raises.
    """
    try:
        yield
    except SagaError:
        raise
    except Exception as error:
        if type(error).__module__ == "builtins" and not isinstance(error, OSError):
            raise  # a bug, which must not look like an outage
        raise failure_of(error, doing) from error


def failure_of(error: Exception, doing: str) -> SagaError:
    """Return the error that says what an error of a library means; `doing` as in `explained`."""
    if lacks_table(error, TABLE):
        return ConfigurationError(
            f"this database has no table {TABLE}: add a migration that creates it (docs/outbox.md, The table)"
        )
    return OutboxUnavailable(f"the database did not {doing}: {said_by_driver(error)}")
