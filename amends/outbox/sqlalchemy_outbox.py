"""Starts in the transaction of a session or connection of SQLAlchemy, delivered right after its commit."""

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from celery import Celery

from amends.barrier.sqlalchemy_transaction import commits_by_itself
from amends.dispatch.messages import plays_messages
from amends.outbox import table
from amends.outbox.database import explained
from amends.outbox.delivery import deliver, left_to_relays, start_or_leave, threads
from amends.outbox.entry import Entry
from amends.outbox.sqlalchemy_database import SQLAlchemyConnection, SQLAlchemyDatabase

_PENDING: Final = "amends_outbox"
"""In the `info` of a session or a driver's connection: what its commit delivers."""

_tasks: Final[set[asyncio.Task[None]]] = set()  # asyncio itself keeps none alive


@dataclass
class _Pending:
    """The starts of a transaction that is open, each app's and engine's apart."""

    starts: dict[tuple[Celery, Any], list[Entry]] = field(default_factory=dict)
    is_committed: bool = False  #: Of a session.
    transaction: Callable[[], Any] | None = None  #: Of a connection: a weak reference to it.


def write_in(owner: Any, app: Celery, entry: Entry, *, namespace: str) -> None:
    """Write an entry in the transaction of a session or connection, and deliver it after the commit.

    Raises ``RuntimeError`` for a connection that commits each statement by itself, `OutboxUnavailable`,
    `ConfigurationError`.
    """
    is_session = hasattr(owner, "flush")
    with explained(f"take the start of saga {entry.saga_id!r}"):
        connection = owner.connection() if is_session else owner
        _ = connection.get_transaction() or connection.begin()
        if is_whole := not commits_by_itself(connection):
            table.write(SQLAlchemyConnection(connection), entry, namespace=namespace)
    if not is_whole:
        raise RuntimeError(
            "this connection commits each statement by itself (AUTOCOMMIT), so the saga would run where the rest fails: use one"
            " with transactions"
        )
    joined = owner.bind if is_session and hasattr(owner.bind, "get_transaction") else None
    where = connection.engine
    if is_session and (joined is None or plays_messages(app)):
        where, pending = joined or where, _follow_session(owner)
    else:
        pending = _follow_connection(connection, plays=plays_messages(app))
    pending.starts.setdefault((app, where), []).append(entry)


def _follow_session(session: Any) -> _Pending:
    from sqlalchemy import event  # noqa: PLC0415 - whoever has a session has it imported

    if not event.contains(session, "after_commit", _note_commit):
        event.listen(session, "after_commit", _note_commit)
        event.listen(session, "after_transaction_end", _end_transaction)
    pending: _Pending = session.info.setdefault(_PENDING, _Pending())
    return pending


def _note_commit(session: Any) -> None:
    """Note the commit of a session. SQLAlchemy calls this while the session still has its connection, and for savepoints."""
    if _PENDING in session.info and not session.in_nested_transaction():
        session.info[_PENDING].is_committed = True


def _end_transaction(session: Any, transaction: Any) -> None:
    """Deliver what was committed, once the session's connection is back in its pool; forget what was rolled back."""
    if transaction.parent is None:
        pending = session.info.pop(_PENDING, None)
        if pending is not None and pending.is_committed:
            _deliver(pending, waits=True)


def _follow_connection(connection: Any, *, plays: bool) -> _Pending:
    """Deliver entries when their connection goes back to the pool: SQLAlchemy has no event after a connection's commit.

    Those of an earlier transaction of a connection that is kept are delivered now, unless sagas are played in this process.
    """
    from sqlalchemy import event  # noqa: PLC0415 - whoever has a connection has it imported

    pool = connection.engine.pool
    if not event.contains(pool, "checkin", _take_back):
        event.listen(pool, "checkin", _take_back)
    transaction, before = connection.get_transaction(), connection.info.get(_PENDING)
    if before is not None and (plays or before.transaction() is transaction):
        return cast("_Pending", before)
    connection.info[_PENDING] = pending = _Pending(transaction=weakref.ref(transaction))
    if before is not None:
        _deliver(before, waits=False)
    return pending


def _take_back(_connection: Any, record: Any) -> None:
    pending = record.info.pop(_PENDING, None)
    if pending is not None:  # what was rolled back is not found
        _deliver(pending, waits=False)


def _deliver(pending: _Pending, *, waits: bool) -> None:
    for (app, engine), entries in pending.starts.items():
        if engine.dialect.is_async and not plays_messages(app):
            _begin_task(_deliver_async(app, engine, entries))
        else:
            deliver(app, SQLAlchemyDatabase(engine), entries, waits=waits)


def _begin_task(act: Coroutine[Any, Any, None]) -> None:
    try:
        task = asyncio.get_running_loop().create_task(act)
    except RuntimeError:  # the loop has ended, and the garbage collector closes its connections
        act.close()
        return
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _deliver_async(app: Celery, engine: Any, entries: list[Entry]) -> None:
    """Deliver entries without a wait of the loop's: the database is asked by its own driver, the log in a thread."""
    from sqlalchemy.ext.asyncio import AsyncEngine  # noqa: PLC0415 - as above

    if threads.rest:
        return
    engine = AsyncEngine(engine)
    with left_to_relays():
        if committed := await _run(engine, _find, entries):
            started = threads.submit(start_or_leave, app, committed)
            if delivered := await asyncio.wrap_future(started):
                await _run(engine, _remove, delivered)


async def _run(engine: Any, act: Callable[..., Any], what: Any) -> Any:
    with explained("let the outbox be read or changed"):
        async with engine.begin() as connection:
            return await connection.run_sync(act, what)


def _find(connection: Any, entries: Sequence[Entry]) -> list[Entry]:
    return table.find(SQLAlchemyConnection(connection), [each.entry_id for each in entries])


def _remove(connection: Any, entry_ids: Sequence[str]) -> None:
    table.remove(SQLAlchemyConnection(connection), entry_ids)
