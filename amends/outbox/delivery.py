"""Delivers entries of the outbox to the saga log: from the process that wrote them right after its commit.

The log may be away or stand still. A commit waits for it a moment at most: the log is asked in another thread, and for a
while not at all once it did not answer. What is not delivered so is left to the relays.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from celery import Celery

from amends.backend.own_threads import round_of_own_thread
from amends.definition.serialization import message_of
from amends.dispatch.children import STARTS
from amends.dispatch.messages import plays_messages
from amends.errors import ConfigurationError, LogUnavailable, SagaError, UnreadableData
from amends.outbox import table
from amends.outbox.database import Database
from amends.outbox.entry import Entry
from amends.traces.sagas import entered

_logger: Final = logging.getLogger(__name__)

PATIENCE: Final = 0.5
"""Seconds that a commit waits for the log and the broker at most."""

_REST: Final = 5.0
"""Seconds for which a process leaves its entries to the relays after that."""

_THREADS: Final = 4

AWAY: Final = (LogUnavailable, ConfigurationError)
"""What is no fault of an entry: it stays, and so do those behind it."""


def start_entry(app: Celery, entry: Entry) -> None:
    """Start the saga of an entry; started before, it is the same one.

    Raises what `amends.Saga.start` does, and `UnreadableData` for an entry that the code of this process cannot read.
    """
    start = STARTS.get(entry.saga)
    if start is None:
        raise UnreadableData(
            f"no saga {entry.saga!r} is defined in this process: let a worker import the module that defines it"
        )
    fields, when = entry.read(time.time())
    with entered(app, entry.trace):
        start(app, entry.saga_id, fields, **when)


class _Threads:
    """The threads of this process that deliver."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="amends-outbox")
        self._rests_until = 0.0

    def submit(self, act: Callable[..., Any], *arguments: Any, **how: Any) -> Future[Any]:
        return self._pool.submit(_in_a_round, act, *arguments, **how)

    @property
    def rest(self) -> bool:
        """Whether entries are left to the relays for now."""
        return time.monotonic() < self._rests_until

    def begin_rest(self) -> None:
        self._rests_until = time.monotonic() + _REST


def _in_a_round(act: Callable[..., Any], *arguments: Any, **how: Any) -> Any:
    with round_of_own_thread():  # receivers of `saga_started` may be anything
        return act(*arguments, **how)


threads: Final = _Threads()


def deliver(app: Celery, database: Database, entries: Sequence[Entry], *, looks: bool) -> None:
    """Deliver entries after a commit, and return in a moment, also if the log does not answer.

    looks: whether the database is asked first which of them were committed.

    Raises nothing, unless sagas are played in this process (a rehearsal, eager tasks): their errors are the caller's.
    """
    if plays_messages(app):
        _play(app, database, entries)
    else:
        _deliver(app, database, entries, _start_patiently, looks=looks)


def deliver_in_background(
    app: Celery, database: Database, entries: Sequence[Entry], *, looks: bool
) -> None:
    """`deliver` in a thread of its own, database and all."""
    if plays_messages(app):
        _play(app, database, entries)
        return
    with suppress(RuntimeError):  # this process ends, and begins no thread
        threads.submit(_deliver, app, database, entries, start_entries, looks=looks)


def start_entries(app: Celery, entries: Iterable[Entry]) -> list[str]:
    """Start the sagas of entries; return the ids of those entries that were delivered. Raises nothing."""
    delivered = []
    for each in entries:
        try:
            start_entry(app, each)
        except AWAY as error:
            threads.begin_rest()
            _logger.warning("saga %s is left to the outbox's relay: %s", each.saga_id, error)
            break
        except Exception as error:  # noqa: BLE001 - a route of the app's own may raise anything
            _logger.warning(
                "saga %s is left to the outbox's relay: %s", each.saga_id, message_of(error)
            )
        else:
            delivered.append(each.entry_id)
    return delivered


def _start_patiently(app: Celery, entries: Sequence[Entry]) -> list[str]:
    try:
        started: list[str] = threads.submit(start_entries, app, entries).result(PATIENCE)
    except TimeoutError:
        threads.begin_rest()
        _logger.warning(
            "saga %s is left to the outbox's relay: no answer of the saga log or the broker within %g s",
            entries[0].saga_id,
            PATIENCE,
        )
        return []
    return started


def _deliver(
    app: Celery,
    database: Database,
    entries: Sequence[Entry],
    start: Callable[[Celery, Sequence[Entry]], list[str]],
    *,
    looks: bool,
) -> None:
    if threads.rest:
        return
    try:
        if looks:
            entries = _find(database, entries)
        if entries and (delivered := start(app, entries)):
            with database.transaction() as connection:
                table.remove(connection, delivered)
    except SagaError as error:  # of the database, which has just committed
        _logger.warning("entries are left to the outbox's relay: %s", error)
    except Exception:
        _logger.exception("entries are left to the outbox's relay")


def _play(app: Celery, database: Database, entries: Sequence[Entry]) -> None:
    entries = _find(database, entries)
    with database.transaction() as connection:
        table.remove(connection, [each.entry_id for each in entries])
    for each in entries:
        start_entry(app, each)


def _find(database: Database, entries: Iterable[Entry]) -> list[Entry]:
    with database.transaction() as connection:
        return table.find(connection, [each.entry_id for each in entries])
