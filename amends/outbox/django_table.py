"""The outbox's table for Django's migrations."""

from amends.barrier.django_table import CreateTable
from amends.outbox.statements import TABLE, statements_of


def outbox_table() -> CreateTable:
    """Return the operation that creates the outbox's table, for the `operations` of a migration; backwards it drops it."""
    return CreateTable(TABLE, statements_of)
