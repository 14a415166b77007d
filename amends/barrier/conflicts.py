"""What a database says about the barrier's own statements, in the barrier's words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from amends.barrier.statements import TABLE
from amends.errors import BarrierBusy, ConfigurationError

# PostgreSQL's: serialization_failure, deadlock_detected, lock_not_available.
# SQLite's: SQLITE_BUSY and SQLITE_LOCKED.
# MySQL's: record changed since the snapshot, lock wait timeout, deadlock.
_BUSY: Final = frozenset({"40001", "40P01", "55P03", 5, 6, 1020, 1205, 1213})
_NO_TABLE: Final = frozenset({"42P01", 1146})
_ABORTED: Final = "25P02"  # PostgreSQL's: in_failed_sql_transaction
_PRIMARY: Final = 0xFF  # the part of an extended code of SQLite that is the code itself


@contextmanager
def explained(key: str | None) -> Iterator[None]:
    """Run one of the barrier's statements; say what a failure means for the receiver.

    key: idempotency key of the row, for messages; None for a statement on many rows.

    Raises `BarrierBusy` if another transaction was in the way, `ConfigurationError` if there is no table, ``RuntimeError``
    in a transaction that is not to be committed any more, and whatever the library raises otherwise.
    """
    try:
        yield
    except Exception as error:
        codes = {code for each in _causes(error) for code in _codes(each)}
        if codes & _BUSY:
            raise BarrierBusy(said_by_driver(error), key) from error
        if _ABORTED in codes:
            raise RuntimeError(
                "PostgreSQL commits nothing of this transaction any more, for an error of a statement in it was caught: let"
                " an error of the database leave the barrier's block, or run its statement in a savepoint"
            ) from error
        if lacks_table(error, TABLE):
            raise ConfigurationError(
                f"this database has no table {TABLE}: add a migration that creates it (docs/barrier.md, The table)"
            ) from error
        raise


def lacks_table(error: BaseException, table: str) -> bool:
    """Tell whether a statement failed because the database does not have its one table."""
    codes = {code for each in _causes(error) for code in _codes(each)}
    return bool(codes & _NO_TABLE) or f"no such table: {table}" in str(error)


def said_by_driver(error: BaseException) -> str:
    """Return the first line of what the driver said."""
    *_, driver = _causes(error)
    return str(driver).partition("\n")[0]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error of SQLAlchemy or Django and the driver's behind it."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = getattr(at, "orig", None) or at.__cause__


def _codes(error: BaseException) -> Iterator[Any]:
    """Yield a driver's code: psycopg's and asyncpg's, psycopg2's, sqlite3's, MySQL's."""
    yield getattr(error, "sqlstate", None)
    yield getattr(error, "pgcode", None)
    yield (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY
    if error.args and isinstance(error.args[0], int) and error.args[0] > _PRIMARY:
        yield error.args[0]
