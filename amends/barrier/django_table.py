"""The barrier's table for Django's migrations."""

from collections.abc import Callable
from typing import Any

from django.db import router
from django.db.migrations.operations.base import Operation

from amends.barrier.statements import TABLE, statements_of


class CreateTable(Operation):  # type: ignore[misc]  # Django has no types
    """Creates a table that has no model, by the SQL of its database; backwards it drops it. ``sqlmigrate`` prints it.

    table: its name.
    statements_of: returns the statements of a database by Django's name of its vendor; their `create` is run.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, table: str, statements_of: Callable[[str], Any]) -> None:
        self.table = table
        self.statements_of = statements_of

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Change nothing: there is no model."""

    def database_forwards(self, app_label: str, schema_editor: Any, *_: Any) -> None:
        """Create the table."""
        if self.is_for(app_label, schema_editor.connection):
            for statement in self.statements_of(schema_editor.connection.vendor).create:
                schema_editor.execute(statement)

    def database_backwards(self, app_label: str, schema_editor: Any, *_: Any) -> None:
        """Drop the table."""
        if self.is_for(app_label, schema_editor.connection):
            schema_editor.execute(f"DROP TABLE {self.table}")

    def is_for(self, app_label: str, connection: Any) -> bool:
        """Tell whether a database is to have the table, by the project's routers."""
        return bool(router.allow_migrate(connection.alias, app_label))

    def describe(self) -> str:
        """Say what it does."""
        return f"Create the table {self.table}"


def barrier_table() -> CreateTable:
    """Return the operation that creates the barrier's table, for the `operations` of a migration of the application.

    It has no model, so `makemigrations` leaves the table alone. Migrated backwards it drops the table.
    """
    return CreateTable(TABLE, statements_of)
