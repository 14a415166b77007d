"""The outbox's table for Django's migrations."""

from typing import Any

from amends.barrier.django_table import CreateTable
from amends.outbox.statements import TABLE, is_known, statements_of


class CreateOutbox(CreateTable):
    """Passes over a database that the outbox has no SQL for: Django migrates each one of DATABASES, and most have no outbox."""

    def is_for(self, app_label: str, connection: Any) -> bool:
        """Tell whether a database is to have the table, by its kind and the project's routers."""
        return is_known(connection.vendor) and super().is_for(app_label, connection)


def outbox_table() -> CreateOutbox:
    """Return the operation that creates the outbox's table, for the `operations` of a migration; backwards it drops it."""
    return CreateOutbox(TABLE, statements_of)
