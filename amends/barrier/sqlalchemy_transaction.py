"""The barrier on a session or connection of SQLAlchemy."""

from functools import cache
from typing import Any

from amends.barrier.conflicts import explained
from amends.barrier.statements import statements_of
from amends.barrier.transaction import Values


class SQLAlchemyTransaction:
    """The transaction of a session or connection. It is begun if it is not, as by any statement of SQLAlchemy's.

    Raises ``RuntimeError`` for a connection that commits each statement by itself.
    """

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._connection = owner.connection() if hasattr(owner, "flush") else owner
        self.statements = statements_of(self._connection.dialect.name)
        self._begun = self._connection.get_transaction() or self._connection.begin()
        if commits_by_itself(self._connection):
            raise RuntimeError(
                "this connection commits each statement by itself (AUTOCOMMIT), so the barrier's row would stay where the"
                " effect fails: use one with transactions"
            )

    def run(self, statement: str, values: Values) -> int:
        """Run a statement of `statements`; return how many rows it changed."""
        with explained(values.get("key")):
            count: int = self._connection.execute(text_of(statement), values).rowcount
            return count

    def read(self, statement: str, values: Values) -> tuple[Any, ...] | None:
        """Run a query; return its one row, or None."""
        with explained(values.get("key")):
            row = self._connection.execute(text_of(statement), values).one_or_none()
            return None if row is None else tuple(row)

    def roll_back(self) -> None:
        """Take back all that the transaction has done; also inside of a savepoint, all of it."""
        self._owner.rollback()

    def is_over(self) -> bool:
        """Tell whether it was committed or rolled back, whatever was begun after it."""
        return self._connection.get_transaction() is not self._begun or not self._begun.is_active


@cache
def text_of(statement: str) -> Any:
    """Return a statement in SQLAlchemy's form."""
    from sqlalchemy import text  # noqa: PLC0415 - whoever has a session has it imported

    return text(statement)


def commits_by_itself(connection: Any) -> bool:
    """Ask the driver: SQLAlchemy does not tell what an engine was created with."""
    given = connection.connection
    if connection.dialect.name == "sqlite":
        # Without an isolation level the driver begins nothing; then the application does, by an event of SQLAlchemy's.
        driver = given.driver_connection
        begins = (
            driver.isolation_level is not None and getattr(driver, "autocommit", None) is not True
        )
        return not begins and not driver.in_transaction
    # A method of MySQL's drivers, a flag of PostgreSQL's.
    ask = getattr(given.dbapi_connection, "get_autocommit", None)
    return bool(ask()) if ask else getattr(given.dbapi_connection, "autocommit", False) is True
