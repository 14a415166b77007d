"""The services' database: tables, read and write transactions, and what SQLite needs for them.

The read of a row and the write that depends on it must not be torn apart by another caller.
SQLite offers one way: the transaction takes the write lock at its first statement
(``BEGIN IMMEDIATE``). The driver would begin it on its own, late and deferred, so its transaction
control is switched off and SQLAlchemy's begin event says ``BEGIN`` instead.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, make_url

metadata = MetaData()
"""Every module of the services registers its tables here."""

LOCK_TIMEOUT = 30.0
"""Seconds that a transaction waits for another server process's write lock."""

CONNECTIONS = 40
"""As many as there are threads that serve requests, so that none waits for a connection."""


class Database:
    """An open database with all tables in place.

    Raises ValueError for an SQLite URL without a file, and SQLAlchemy's errors for a database
    that cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._engine = _open_engine(url)
        self._writing = self._engine.execution_options(begin="BEGIN IMMEDIATE")
        # SQLite's waiters poll with growing pauses and no order. A queue of our own in front
        # keeps the threads of this process off that; other processes still meet at the file.
        on_sqlite = self._engine.dialect.name == "sqlite"
        self._turn = threading.Lock() if on_sqlite else nullcontext()
        with self.write() as connection:
            metadata.create_all(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database and changes nothing."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are committed together, or, on an exception, not at all.

        On SQLite the writers take turns from the first statement on.
        """
        with self._turn, self._writing.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close the pooled connections; the last one out folds SQLite's write-ahead log in."""
        self._engine.dispose()


def _open_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_size=CONNECTIONS)
    if parsed.database in (None, "", ":memory:"):
        raise ValueError(f"{url} names no file: the services must survive a restart.")
    Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, pool_size=CONNECTIONS, connect_args={"timeout": LOCK_TIMEOUT})
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_connection(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    # A commit survives the death of the process; only a power cut may take the last ones.
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
