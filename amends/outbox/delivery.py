"""Delivers entries of the outbox to the saga log: from the process that wrote them right after its commit.

Log, broker and database may be away or stand still. A commit waits for them a moment at most: they are asked in another
thread, and for a while not at all once they did not answer. What is not delivered so is left to the relays.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

from amends.backend.outage_lines import OUTAGE
from amends.backend.own_threads import round_of_own_thread
from amends.backend.settings import settings_of
from amends.definition.serialization import message_of, type_name
from amends.dispatch.children import STARTS
from amends.dispatch.messages import plays_messages
from amends.errors import (
    ConfigurationError,
    LogUnavailable,
    OutboxUnavailable,
    SagaError,
    UnreadableData,
)
from amends.log.saga_log import log_of
from amends.outbox import table
from amends.outbox.database import Database
from amends.outbox.entry import Entry
from amends.traces.sagas import entered

_logger: Final = logging.getLogger(__name__)

PATIENCE: Final = 0.5
"""Seconds that a commit waits at most for log, broker and, but for Django, whose connection it asks itself, the database."""

_REST: Final = 5.0
"""Seconds for which a process leaves its entries to the relays after that."""

_THREADS: Final = 4

_AWAY: Final = (LogUnavailable, ConfigurationError)
"""What is no fault of an entry, unless others can be delivered."""

_MOST_AWAY: Final = 10
"""Entries in a row for which the log is away, after which it is not asked for the others."""


def start_entry(app: Celery, entry: Entry) -> None:
    """Start the saga of an entry; started before, it is the same one.

    Raises what `amends.Saga.start` does, and `UnreadableData` for an entry that the code of this process cannot read, or that
    is so old that its saga may have been started, ended and been removed, unless its id is remembered.
    """
    age = time.time() - entry.written_at
    is_old = age > settings_of(app).retention
    if is_old and log_of(app).read_remembered(entry.saga_id) is None:
        raise UnreadableData(
            f"it has waited for {age:,.0f} s, longer than amends_retention: it may have been delivered, and its saga may have"
            " ended and been removed. Delete it if so, or set its written_at to now"
        )
    start = STARTS.get(entry.saga)
    if start is None:
        raise UnreadableData(
            f"no saga {entry.saga!r} is defined in this process: let a worker import the module that defines it"
        )
    fields, when = entry.read(time.time())
    with entered(app, entry.trace):
        start(app, entry.saga_id, fields, **when)


@dataclass(frozen=True, kw_only=True)
class Starts:
    """What became of entries."""

    delivered: list[Entry] = field(default_factory=list)
    failed: dict[Entry, Exception] = field(default_factory=dict)  #: By a fault of their own.
    away: dict[Entry, Exception] = field(default_factory=dict)  #: The log did not answer.
    rest: list[Entry] = field(default_factory=list)  #: Not tried.


def start_entries(
    app: Celery, entries: Iterable[Entry], *, is_late: Callable[[], bool] = bool
) -> Starts:
    """Start the sagas of entries, until the log is away for several in a row: in a cluster it may be for some. Raises nothing.

    is_late: tells whether to end before that.
    """
    found, in_a_row = Starts(), 0
    for each in entries:
        if in_a_row == _MOST_AWAY or is_late():
            found.rest.append(each)
            continue
        try:
            start_entry(app, each)
        except _AWAY as error:
            found.away[each] = error
            in_a_row += 1
            continue
        except Exception as error:  # noqa: BLE001 - a route of the app's own may raise anything
            found.failed[each] = error
        else:
            found.delivered.append(each)
        in_a_row = 0
    for each, reason in list(found.away.items()):
        if found.delivered and isinstance(reason, ConfigurationError):  # the log is configured
            found.failed[each] = found.away.pop(each)
    return found


class _Threads:
    """The threads of this process that deliver."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="amends-outbox")
        self._rests_until = 0.0

    def submit(self, act: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call a function in a thread, in the caller's context. Raises `SagaError` at the end of this process."""
        try:
            return self._pool.submit(copy_context().run, _in_a_round, act, *arguments)
        except RuntimeError as error:
            raise SagaError("this process ends, and begins no thread") from error

    def wait_for(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a function returns in a thread. Raises `SagaError` if that takes long, and then begins a rest."""
        try:
            return self.submit(act, *arguments).result(PATIENCE)
        except TimeoutError as error:
            self.begin_rest()
            raise SagaError(
                f"log, broker and database did not all answer within {PATIENCE:g} s"
            ) from error

    @property
    def rest(self) -> bool:
        """Whether entries are left to the relays for now."""
        return time.monotonic() < self._rests_until

    def begin_rest(self) -> None:
        self._rests_until = time.monotonic() + _REST


def _in_a_round(act: Callable[..., Any], *arguments: Any) -> Any:
    with round_of_own_thread():  # receivers of `saga_started` may be anything
        return act(*arguments)


threads: Final = _Threads()


def deliver(app: Celery, database: Database, entries: Sequence[Entry], *, waits: bool) -> None:
    """Deliver those of these entries that were committed, in another thread.

    waits: whether the caller waits for it, for a moment.

    Raises nothing, unless sagas are played in this process (a rehearsal, eager tasks): their errors are the caller's. A soft
    time limit of the caller's task passes through.
    """
    if plays_messages(app):
        _play(app, database, entries)
    elif not threads.rest:
        act = threads.wait_for if waits else threads.submit
        with left_to_relays():
            act(_deliver, app, database, entries, start_or_leave)


def deliver_here(app: Celery, database: Database, entries: Sequence[Entry]) -> None:
    """`deliver` with a wait, for a database that would open one more connection in another thread. Raises what that does."""
    if plays_messages(app):
        _play(app, database, entries)
    elif not threads.rest:
        _deliver(app, database, entries, partial(threads.wait_for, start_or_leave))


def start_or_leave(app: Celery, entries: Sequence[Entry]) -> list[str]:
    """Start the sagas of entries; return the ids of those entries that were delivered. Raises nothing."""
    found = start_entries(app, entries)
    if found.away:
        threads.begin_rest()
    left = "saga %s is left to the outbox's relay: %s"
    for each, error in found.failed.items():
        _logger.warning(left, each.saga_id, reason_of(error))
    for each, error in found.away.items():
        OUTAGE.warn(_logger, left, each.saga_id, reason_of(error))
    return [each.entry_id for each in found.delivered]


@contextmanager
def left_to_relays() -> Iterator[None]:
    """Log what fails after a commit, and raise nothing but a soft time limit: the relays deliver what stays."""
    try:
        yield
    except SoftTimeLimitExceeded:
        raise
    except (LogUnavailable, OutboxUnavailable) as error:
        OUTAGE.warn(_logger, "entries are left to the outbox's relay: %s", error)
    except SagaError as error:
        _logger.warning("entries are left to the outbox's relay: %s", error)
    except Exception:
        _logger.exception("entries are left to the outbox's relay")


def reason_of(error: Exception) -> str:
    """Return what an error says, or if that is nothing, what it is."""
    return message_of(error) or type_name(error)


def _deliver(
    app: Celery,
    database: Database,
    entries: Sequence[Entry],
    start: Callable[[Celery, Sequence[Entry]], list[str]],
) -> None:
    with left_to_relays():
        # The database may have rolled back by itself what it then took for a commit.
        committed = _find(database, entries)
        if committed and (delivered := start(app, committed)):
            with database.transaction() as connection:
                table.remove(connection, delivered)


def _play(app: Celery, database: Database, entries: Sequence[Entry]) -> None:
    entries = _find(database, entries)
    with database.transaction() as connection:
        table.remove(connection, [each.entry_id for each in entries])
    for each in entries:
        start_entry(app, each)


def _find(database: Database, entries: Iterable[Entry]) -> list[Entry]:
    with database.transaction() as connection:
        return table.find(connection, [each.entry_id for each in entries])
