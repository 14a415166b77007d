"""What stands in an app's outbox, for metrics, the doctor and statistics."""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from celery import Celery

from amends.backend.settings import settings_of
from amends.errors import OutboxUnavailable, SagaError
from amends.outbox import table
from amends.outbox.adapters import database_of
from amends.outbox.table import Backlog

PATIENCE: Final = 2.0
"""Seconds that whoever asks waits for the database at most."""


class _Look(threading.Thread):
    """A look at the outbox of an app, in a thread: what hangs there keeps nobody."""

    def __init__(self, app: Celery) -> None:
        super().__init__(target=self._answer, args=(app,), name="amends-outbox", daemon=True)
        self.answer: Future[Backlog] = Future()
        self.start()

    def _answer(self, app: Celery) -> None:
        try:
            self.answer.set_result(_measure(app))
        except Exception as error:  # noqa: BLE001 - it is raised to who asked
            self.answer.set_exception(error)


_looks: Final[WeakKeyDictionary[Celery, _Look]] = WeakKeyDictionary()


def read_backlog(app: Celery, *, patience: float = PATIENCE) -> Backlog | None:
    """Measure the outbox at `amends_outbox_url`, or return None if the app has none.

    patience: seconds to wait for the database. It is asked by one look at a time, which others share: a database that hangs
        has one thread hang.

    Raises `OutboxUnavailable`, `ConfigurationError`.
    """
    if settings_of(app).outbox_url is None:
        return None
    look = _looks.get(app)
    if look is None or not look.is_alive():  # also in a fork of a process whose look hung
        look = _looks[app] = _Look(app)
    try:
        return look.answer.result(patience)
    except TimeoutError:
        raise OutboxUnavailable(
            f"the database at amends_outbox_url did not answer within {patience:g} s"
        ) from None


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
