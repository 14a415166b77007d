"""The outbox in a database of SQLAlchemy's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from amends.barrier.sqlalchemy_transaction import text_of
from amends.errors import ConfigurationError
from amends.outbox.database import Values, explained
from amends.outbox.statements import statements_of

_WANTED: Final = (
    "give it SQLAlchemy's URL of the outbox's database, with a driver that is no asyncio one and is installed here, such as"
    " postgresql+psycopg://shop@db/shop"
)


class SQLAlchemyConnection:
    """A connection of SQLAlchemy, not of its asyncio extension."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        dialect = connection.dialect
        self.statements = statements_of(dialect.name, skips_locked=_skips_locked(dialect))

    def run(self, statement: str, values: Values) -> int:
        """Run a statement of `statements`; return how many rows it changed."""
        count: int = self._connection.execute(text_of(statement), values).rowcount
        return count

    def rows(self, statement: str, values: Values) -> list[tuple[Any, ...]]:
        """Run a query; return its rows."""
        return [tuple(row) for row in self._connection.execute(text_of(statement), values)]


class SQLAlchemyDatabase:
    """A database behind an engine of SQLAlchemy, or behind a connection whose transaction may be open."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    @contextmanager
    def transaction(self) -> Iterator[SQLAlchemyConnection]:
        """Open a transaction, and commit it at the end. Raises `OutboxUnavailable`, `ConfigurationError`."""
        with explained("let the outbox be read or changed"), self._begun() as connection:
            yield SQLAlchemyConnection(connection)

    @contextmanager
    def _begun(self) -> Iterator[Any]:
        if not hasattr(self._engine, "in_transaction"):
            with self._engine.begin() as connection:
                yield connection
            return
        is_open = self._engine.in_transaction()
        with self._engine.begin_nested() if is_open else self._engine.begin():
            yield self._engine


def sqlalchemy_database_at(url: str) -> SQLAlchemyDatabase:
    """Return the database at a URL of SQLAlchemy's; each transaction has a connection of its own.

    Raises `ConfigurationError`.
    """
    try:
        from sqlalchemy import create_engine, make_url  # noqa: PLC0415 - needed for a URL alone
        from sqlalchemy.pool import NullPool  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(f"amends_outbox_url cannot be used: {error}; {_WANTED}") from error
    try:
        read = make_url(url)
    except Exception:  # noqa: BLE001 - an error of it may quote the password
        raise ConfigurationError(
            f"amends_outbox_url is no URL of SQLAlchemy's: {_WANTED}"
        ) from None
    try:
        # PgBouncer gives a connection with prepared statements to the next client.
        how = {"prepare_threshold": None} if read.get_driver_name() == "psycopg" else {}
        engine = create_engine(read, poolclass=NullPool, connect_args=how)
    except Exception as error:  # a driver may raise anything as it is imported
        raise ConfigurationError(f"amends_outbox_url cannot be used: {error}; {_WANTED}") from error
    if engine.dialect.is_async:
        driver = engine.dialect.driver
        raise ConfigurationError(
            f"amends_outbox_url names {driver}, a driver for asyncio: {_WANTED}"
        )
    return SQLAlchemyDatabase(engine)


def _skips_locked(dialect: Any) -> bool:
    if dialect.name in {"mysql", "mariadb"}:
        least = (10, 6) if dialect.is_mariadb else (8, 0, 1)
        return tuple(dialect.server_version_info) >= least
    return bool(dialect.name == "postgresql")
