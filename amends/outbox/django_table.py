"""The outbox's table for Django's migrations."""

from typing import Any

from django.db.migrations import RunPython

from amends.outbox.statements import TABLE, is_known, statements_of


def outbox_table() -> RunPython:
    """Return the operation that creates the outbox's table, for the `operations` of a migration; backwards it drops it.

    A database that the outbox has no SQL for is passed over: Django migrates each one of DATABASES, and most have no outbox.
    """
    return RunPython(_create, _drop)


def _create(_apps: Any, editor: Any) -> None:
    vendor = editor.connection.vendor
    for statement in statements_of(vendor).create if is_known(vendor) else ():
        editor.execute(statement)


def _drop(_apps: Any, editor: Any) -> None:
    if is_known(editor.connection.vendor):
        editor.execute(f"DROP TABLE {TABLE}")
