"""Receivers that make and undo effects behind a barrier, in a database of each kind; the book says what they did."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import django
from django.conf import settings
from django.db import connections, transaction
from sqlalchemy import MetaData, create_engine, event, text
from sqlalchemy.orm import Session

from amends.barrier import BarrierBusy, barrier, undoing
from amends.barrier.sqlalchemy_table import barrier_table
from amends.barrier.statements import statements_of

if not settings.configured:
    settings.configure(DATABASES={})
    django.setup()

BOOK = "CREATE TABLE book (idempotency_key VARCHAR(64), change_made VARCHAR(8))"
WRITE = "INSERT INTO book VALUES ('{}', '{}')"
READ = "SELECT change_made FROM book WHERE idempotency_key = '{}'"
LOCK_WAITS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
    # innodb_trx is a cache that is not renewed while it is asked for more often than every 0.1 s.
    "mariadb": "SELECT variable_value FROM information_schema.global_status"
    " WHERE variable_name = 'Innodb_row_lock_current_waits'",
}


def nothing() -> None:
    """Do nothing meanwhile."""


class Receiver:
    """Makes and undoes effects, each in a transaction of its own. Its methods may run in any thread."""

    database: str

    def act(self, key: str, meanwhile: Callable[[], None] = nothing) -> Any:
        """Make the effect of a key, call `meanwhile` while that is not committed, and return the answer."""
        with self.transaction() as connection:
            with barrier(connection, key) as first:
                if first:
                    self.execute(connection, WRITE.format(key, "made"))
                    first.keep({"receipt": key})
                    meanwhile()
            return first.answer

    def undo(self, key: str, meanwhile: Callable[[], None] = nothing) -> bool:
        """Undo the effect of a key, call `meanwhile` while that is not committed, and tell whether there was one."""
        with self.transaction() as connection, undoing(connection, key) as took_effect:
            if took_effect:
                assert took_effect.answer == {"receipt": key}
                self.execute(connection, WRITE.format(key, "undone"))
            meanwhile()
        return bool(took_effect)

    def book(self, key: str) -> list[str]:
        """Return what was done under a key, in no order."""
        with self.transaction() as connection:
            return sorted(row[0] for row in self.execute(connection, READ.format(key)))

    def waits(self) -> bool:
        """Tell whether a transaction waits for another one's lock. SQLite does not tell: there True."""
        if self.database not in LOCK_WAITS:
            return True
        with self.transaction() as connection:
            return int(self.execute(connection, LOCK_WAITS[self.database])[0][0]) > 0

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        """Open a transaction, which is committed at the end, or rolled back by an exception."""
        raise NotImplementedError

    def execute(self, connection: Any, statement: str) -> list[Any]:
        """Run a statement in it, and return its rows."""
        raise NotImplementedError

    def close(self) -> None:
        """Close its connections."""


class SQLAlchemyReceiver(Receiver):
    """A receiver on SQLAlchemy's sessions, or, with `session` False, its connections."""

    def __init__(self, url: str, *, session: bool = True, **options: Any) -> None:
        self.engine = create_engine(url, **options)
        self.database = self.engine.dialect.name
        self._session = session
        metadata = MetaData()
        barrier_table(metadata)
        with self.engine.begin() as connection:
            for table in ("amends_barrier", "book"):
                connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
            metadata.create_all(connection)
            connection.execute(text(BOOK))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        if self._session:
            with Session(self.engine) as session:
                yield session
                session.commit()
        else:
            with self.engine.connect() as connection:
                yield connection
                connection.commit()

    def execute(self, connection: Any, statement: str) -> list[Any]:
        result = connection.execute(text(statement))
        return list(result) if result.returns_rows else []

    def close(self) -> None:
        self.engine.dispose()


class DjangoReceiver(Receiver):
    """A receiver on a connection of Django, by its alias."""

    def __init__(self, alias: str, **database: Any) -> None:
        self.alias = alias
        connect_django(alias, **database)
        self.database = connections[alias].vendor
        for table in ("amends_barrier", "book"):
            self.execute(alias, f"DROP TABLE IF EXISTS {table}")
        for statement in (*statements_of(self.database).create, BOOK):
            self.execute(alias, statement)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        try:
            with transaction.atomic(using=self.alias):
                yield self.alias
        finally:
            connections[self.alias].close()  # this thread's

    def execute(self, connection: Any, statement: str) -> list[Any]:
        with connections[connection].cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []


def connect_django(alias: str, **database: Any) -> None:
    """Add a database to those of Django, under an alias."""
    default = {"ENGINE": "django.db.backends.dummy"}
    databases = connections.configure_settings({"default": default, alias: database})
    connections.settings[alias] = databases[alias]
    with contextlib.suppress(AttributeError):
        del connections[alias]  # one of this thread, to a database of before


def until_done(act: Callable[..., Any], *arguments: Any) -> Any:
    """Repeat a whole transaction while others are in its way, as a caller does."""
    while True:
        with contextlib.suppress(BarrierBusy):
            return act(*arguments)


def begin_immediate(engine: Any) -> None:
    """Let an engine for SQLite take the write lock at the begin of each transaction, as docs/barrier.md says."""

    @event.listens_for(engine, "connect")
    def leave_transactions_to_us(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def take_the_write_lock(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
