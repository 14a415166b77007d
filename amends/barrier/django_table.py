"""The barrier's table for Django's migrations."""

from typing import Any

from django.db.migrations import RunPython

from amends.barrier.statements import TABLE, statements_of


def barrier_table() -> RunPython:
    """Return the operation that creates the barrier's table, for the `operations` of a migration of the application.

    It has no model, so `makemigrations` leaves the table alone. Migrated backwards it drops the table.
    """
    return RunPython(_create, _drop)


def _create(_apps: Any, editor: Any) -> None:
    for statement in statements_of(editor.connection.vendor).create:
        editor.execute(statement)


def _drop(_apps: Any, editor: Any) -> None:
    editor.execute(f"DROP TABLE {TABLE}")
