"""Shops that start sagas in their own transactions, in a database of each kind."""

import contextlib
from collections.abc import Iterator
from typing import Any

from django.db import connections, transaction
from sqlalchemy import MetaData, create_engine, text
from sqlalchemy.orm import Session

from amends import Handle, Saga
from amends.outbox.database import Database
from amends.outbox.django_database import DjangoDatabase
from amends.outbox.sqlalchemy_database import SQLAlchemyDatabase
from amends.outbox.sqlalchemy_table import outbox_table
from amends.outbox.statements import statements_of
from tests.support.receivers import connect_django

LEFT = "SELECT saga_id, error FROM amends_outbox ORDER BY written_at"


class Shop:
    """Starts sagas; `database` is what a relay is given, `vendor` the name of its kind."""

    database: Database
    vendor: str

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        """Open a transaction, which is committed at the end, or rolled back by an exception."""
        raise NotImplementedError

    def savepoint(self, connection: Any) -> Any:
        """Open a savepoint in it, which is released at the end, or rolled back by an exception."""
        raise NotImplementedError

    def start(self, connection: Any, saga: Saga[Any, Any], given: Any, **how: Any) -> Handle[Any]:
        """Start a saga in an open transaction."""
        return saga.start_in(connection, given, **how)

    def execute(self, connection: Any, statement: str) -> list[Any]:
        """Run a statement in it, and return its rows."""
        result = connection.execute(text(statement))
        return list(map(tuple, result)) if result.returns_rows else []

    def left(self) -> list[tuple[str, str]]:
        """Return the saga ids that are in the outbox, with their errors."""
        with self.transaction() as connection:
            return self.execute(connection, LEFT)

    def change(self, **columns: Any) -> None:
        """Change columns of all that is in the outbox."""
        given = ", ".join(f"{name} = {value!r}" for name, value in columns.items())
        with self.transaction() as connection:
            self.execute(connection, f"UPDATE amends_outbox SET {given}")  # noqa: S608

    def empty(self) -> None:
        """Delete all that is in the outbox."""
        with self.transaction() as connection:
            self.execute(connection, "DELETE FROM amends_outbox")

    def close(self) -> None:
        """Close its connections."""


class SQLAlchemyShop(Shop):
    """A shop on SQLAlchemy's sessions, or, with `session` False, its connections."""

    def __init__(self, url: str, *, session: bool = True, **options: Any) -> None:
        self.engine = create_engine(url, **options)
        self.database = SQLAlchemyDatabase(self.engine)
        self.vendor = self.engine.dialect.name
        self._session = session
        metadata = MetaData()
        outbox_table(metadata)
        metadata.drop_all(self.engine)
        metadata.create_all(self.engine)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        with (
            Session(self.engine) if self._session else self.engine.connect() as connection,
            connection.begin(),
        ):
            yield connection

    def savepoint(self, connection: Any) -> Any:
        return connection.begin_nested()

    def close(self) -> None:
        self.engine.dispose()


class DjangoShop(Shop):
    """A shop on a connection of Django, by its alias."""

    def __init__(self, alias: str, **database: Any) -> None:
        self.alias = alias
        connect_django(alias, **database)
        self.database = DjangoDatabase(alias)
        self.vendor = connections[alias].vendor
        with self.transaction():
            self.execute(alias, "DROP TABLE IF EXISTS amends_outbox")
            for statement in statements_of(connections[alias].vendor).create:
                self.execute(alias, statement)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        with transaction.atomic(using=self.alias):
            yield self.alias

    def savepoint(self, connection: Any) -> Any:
        del connection  # Django knows it by the alias
        return transaction.atomic(using=self.alias)

    def start(self, connection: Any, saga: Saga[Any, Any], given: Any, **how: Any) -> Handle[Any]:
        return saga.start_on_commit(given, using=connection, **how)

    def execute(self, connection: Any, statement: str) -> list[Any]:
        with connections[connection].cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def close(self) -> None:
        connections[self.alias].close()
