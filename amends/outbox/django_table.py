"""The outbox's table for Django's migrations."""

from typing import Any

from django.db.migrations import RunPython

from amends.outbox.statements import TABLE, statements_of


def outbox_table() -> RunPython:
    """Return the operation that creates the outbox's table, for the `operations` of a migration; backwards it drops it."""
    return RunPython(_create, _drop)


def _create(_apps: Any, editor: Any) -> None:
    for statement in statements_of(editor.connection.vendor).create:
        editor.execute(statement)


def _drop(_apps: Any, editor: Any) -> None:
    editor.execute(f"DROP TABLE {TABLE}")
