"""What stands in an app's outbox, for metrics, the doctor and statistics."""

import threading
import time
from dataclasses import dataclass
from typing import Final

from celery import Celery

from amends.backend.settings import settings_of
from amends.errors import OutboxUnavailable, SagaError
from amends.outbox import table
from amends.outbox.adapters import database_of
from amends.outbox.table import Backlog

PATIENCE: Final = 2.0
"""Seconds that whoever asks waits for the database at most."""


def read_backlog(app: Celery, *, patience: float = PATIENCE) -> Backlog | None:
    """Measure the outbox at `amends_outbox_url`, or return None if the app has none.

    patience: seconds to wait for the database, which is asked in a thread: what hangs there keeps nobody.

    Raises `OutboxUnavailable`, `ConfigurationError`.
    """
    found: list[Backlog] = []
    errors: list[Exception] = []

    def look() -> None:
        try:
            found.append(_measure(app))
        except Exception as error:  # noqa: BLE001 - it is raised to who asked
            errors.append(error)

    if settings_of(app).outbox_url is None:
        return None
    thread = threading.Thread(target=look, name="amends-outbox", daemon=True)
    thread.start()
    thread.join(patience)
    if errors:
        raise errors[0]
    if not found:
        raise OutboxUnavailable(
            f"the database at amends_outbox_url did not answer within {patience:g} s"
        )
    return found[0]


def _measure(app: Celery) -> Backlog:
    database, namespace = database_of(app), settings_of(app).namespace or ""
    if database is None:
        return Backlog()
    with database.transaction() as connection:
        return table.measure(connection, namespace=namespace, now=time.time())


@dataclass(frozen=True, kw_only=True)
class OutboxState:
    """What was seen of the outbox: what stands in it, or why that is not known. Neither, if the app has none."""

    backlog: Backlog | None = None
    reason: str = ""


def read_outbox(app: Celery, *, patience: float = PATIENCE) -> OutboxState:
    """Look at the outbox of an app, as `read_backlog` does. Raises nothing of the outbox's."""
    try:
        return OutboxState(backlog=read_backlog(app, patience=patience))
    except SagaError as failure:
        return OutboxState(reason=str(failure))
