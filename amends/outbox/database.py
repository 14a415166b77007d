"""The database of an outbox, as the engine uses it."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

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


_OF_DATABASES: Final = frozenset(
    # Python's standard for drivers, and Django; SQLAlchemy, and its pool; asyncpg, as it connects.
    {"Error", "DBAPIError", "TimeoutError", "PostgresError", "InterfaceError"}
)


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Run statements of the engine; say what a failure means.

    doing: the end of "the database did not", for messages.

    Raises `ConfigurationError` if there is no table, `OutboxUnavailable` for what the database, its driver, the network or a
    pool raises otherwise.
    """
    try:
        yield
    except SagaError:
        raise
    except Exception as error:
        if not _is_databases(error):
            raise  # misuse of the caller's session, a time limit or a bug: none must look like an outage
        raise failure_of(error, doing) from error


def failure_of(error: Exception, doing: str) -> SagaError:
    """Return the error that says what an error of a library means; `doing` as in `explained`."""
    if lacks_table(error, TABLE):
        return ConfigurationError(
            f"this database has no table {TABLE}: add a migration that creates it (docs/outbox.md, The table)"
        )
    return OutboxUnavailable(f"the database did not {doing}: {said_by_driver(error)}")


def _is_databases(error: Exception) -> bool:
    names = {each.__name__ for each in type(error).__mro__}
    return isinstance(error, OSError) or not names.isdisjoint(_OF_DATABASES)
