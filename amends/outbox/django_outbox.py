"""Starts in a transaction of Django's, delivered right after its commit."""

from functools import partial

from celery import Celery

from amends.errors import ConfigurationError
from amends.outbox import table
from amends.outbox.database import explained
from amends.outbox.delivery import deliver_here
from amends.outbox.django_database import DjangoConnection, DjangoDatabase
from amends.outbox.entry import Entry


def write_on_commit(using: str | None, app: Celery, entry: Entry, *, namespace: str) -> None:
    """Write an entry inside of ``atomic()``, and deliver it after the commit.

    using: alias of the database; None is the default one.

    Raises ``RuntimeError`` outside of ``atomic()``, `OutboxUnavailable`, `ConfigurationError`.
    """
    from django.db import connections, transaction  # noqa: PLC0415 - whoever calls it has Django

    alias = using or "default"
    if alias not in connections:
        known = ", ".join(connections)
        raise ConfigurationError(f"start_on_commit names {alias!r}, and DATABASES has {known}")
    with explained(f"take the start of saga {entry.saga_id!r}"):
        connection = connections[alias]
        if is_open := connection.in_atomic_block:
            table.write(DjangoConnection(connection), entry, namespace=namespace)
    if not is_open:
        raise RuntimeError(
            f"no transaction is open on {alias!r}, so the saga would run where the rest fails: put both into"
            f" `with transaction.atomic(using={alias!r}):`, or call start()"
        )
    # Django forgets what was to be called after the commit of a savepoint that is rolled back.
    act = partial(deliver_here, app, DjangoDatabase(alias), [entry])
    transaction.on_commit(act, using=alias)
