"""The outbox in a database of Django's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amends.barrier.django_transaction import positional
from amends.errors import ConfigurationError
from amends.outbox.database import Values, explained
from amends.outbox.statements import statements_of


class DjangoConnection:
    """A connection of Django's, in a transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        skips_locked = connection.features.has_select_for_update_skip_locked
        self.statements = statements_of(connection.vendor, skips_locked=skips_locked)

    def run(self, statement: str, values: Values) -> int:
        """Run a statement of `statements`; return how many rows it changed."""
        with self._connection.cursor() as cursor:
            cursor.execute(*positional(statement, values))
            count: int = cursor.rowcount
            return count

    def rows(self, statement: str, values: Values) -> list[tuple[Any, ...]]:
        """Run a query; return its rows."""
        with self._connection.cursor() as cursor:
            cursor.execute(*positional(statement, values))
            return list(cursor.fetchall())


class DjangoDatabase:
    """A database of DATABASES.

    alias: its name there.
    closes: whether each transaction closes the connection of its thread, which nobody else uses.
    """

    def __init__(self, alias: str, *, closes: bool = False) -> None:
        self._alias = alias
        self._closes = closes

    @contextmanager
    def transaction(self) -> Iterator[DjangoConnection]:
        """Open a transaction, and commit it at the end. Raises `OutboxUnavailable`, `ConfigurationError`."""
        from django.db import connections, transaction  # noqa: PLC0415 - needed for an alias alone

        try:
            with (
                explained("let the outbox be read or changed"),
                transaction.atomic(using=self._alias),
            ):
                yield DjangoConnection(connections[self._alias])
        finally:
            if self._closes:
                connections[self._alias].close()


def django_database_at(alias: str) -> DjangoDatabase:
    """Return the database of an alias, for a thread of the engine's own. Raises `ConfigurationError`."""
    try:
        import django  # noqa: PLC0415 - needed for an alias alone
        from django.apps import apps  # noqa: PLC0415 - the same
        from django.db import connections  # noqa: PLC0415 - the same

        if not apps.models_ready:  # as in a command, which imports no module of the application
            django.setup()
        known = ", ".join(connections)
        if alias in connections:
            return DjangoDatabase(alias, closes=True)
    except Exception as error:
        raise ConfigurationError(
            f"amends_outbox_url names a database of Django, and Django is not set up here: {error}"
        ) from error
    raise ConfigurationError(f"amends_outbox_url names {alias!r}, and DATABASES has {known}")
