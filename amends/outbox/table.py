"""What is read and written in the outbox's table, each in a transaction that is open."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from amends.outbox.database import Connection
from amends.outbox.entry import Entry
from amends.outbox.statements import LONGEST_ERROR

GRACE: Final = 5.0
"""Seconds from an entry's insert until a relay may take it: its own process is to deliver it before."""


def write(connection: Connection, entry: Entry, *, namespace: str) -> None:
    """Write an entry.

    namespace: `amends_namespace` of the app whose relay may take it.
    """
    values = {
        "entry_id": entry.entry_id,
        "namespace": namespace,
        "saga_id": entry.saga_id,
        "saga": entry.saga,
        "document": entry.document,
        "written_at": entry.written_at,
        "due_at": entry.written_at + GRACE,
    }
    connection.run(connection.statements.insert, values)


def find(connection: Connection, entry_ids: Iterable[str]) -> list[Entry]:
    """Return those of these entries that are there: of a transaction that was committed, and not delivered."""
    statement = connection.statements.find
    rows = [row for each in entry_ids for row in connection.rows(statement, {"entry_id": each})]
    return [_entry(*row) for row in rows]


def remove(connection: Connection, entry_ids: Iterable[str]) -> None:
    """Delete entries that were delivered."""
    for each in entry_ids:
        connection.run(connection.statements.remove, {"entry_id": each})


def claim(
    connection: Connection,
    *,
    namespace: str,
    sagas: Iterable[str],
    now: float,
    until: float,
    limit: int,
) -> list[Entry]:
    """Claim entries of sagas that are due, the first due first.

    sagas: names of the definitions that this process has: the others may be those of another fleet.
    until: when they are due again, for another relay, if nothing is heard of this one.
    """
    names = {f"saga_{number}": name for number, name in enumerate(sagas)}
    if not names:
        return []
    statement = connection.statements.due.format(sagas=", ".join(f":{each}" for each in names))
    values = {"namespace": namespace, "now": now, "limit": limit, **names}
    found = [_entry(*row) for row in connection.rows(statement, values)]
    return [each for each in found if _is_claimed(connection, each, until)]


def _is_claimed(connection: Connection, entry: Entry, until: float) -> bool:
    values = {"entry_id": entry.entry_id, "tries": entry.tries, "until": until}
    return connection.run(connection.statements.claim, values) == 1


def postpone(connection: Connection, entry: Entry, *, due_at: float, error: str) -> None:
    """Keep an entry that could not be delivered by a fault of its own, and why."""
    text = error.encode("ascii", "backslashreplace").decode()[:LONGEST_ERROR]
    values = {"entry_id": entry.entry_id, "due_at": due_at, "error": text}
    connection.run(connection.statements.postpone, values)


def put_back(connection: Connection, entry: Entry, *, due_at: float) -> None:
    """Let an entry be claimed again from a time on; this was no try."""
    values = {"entry_id": entry.entry_id, "due_at": due_at}
    connection.run(connection.statements.put_back, values)


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What stands in an outbox. Ages are seconds, 0 if there is nothing."""

    waiting: int = 0  #: Entries that are to be delivered.
    oldest_waiting: float = 0.0
    sagas_waiting: tuple[str, ...] = ()  #: Names of their definitions, that of the oldest first.
    failing: int = 0  #: Entries that could not be delivered, by a fault of their own.
    oldest_failing: float = 0.0
    errors: tuple[
        tuple[str, str], ...
    ] = ()  #: Of the oldest of those: the saga's id, and what went wrong.


def measure(connection: Connection, *, namespace: str, now: float, most: int = 5) -> Backlog:
    """Measure the entries of a namespace; of those that fail the oldest are named, at most so many."""
    rows = connection.rows(connection.statements.measure, {"namespace": namespace})
    rows = sorted(rows, key=lambda row: row[-1])
    waiting = [row[1:] for row in rows if not row[0]]
    failing = [row[1:] for row in rows if row[0]]
    values = {"namespace": namespace, "limit": most}
    errors = connection.rows(connection.statements.failing, values) if failing else []
    return Backlog(
        waiting=sum(count for _, count, _ in waiting),
        oldest_waiting=max(0.0, now - waiting[0][2]) if waiting else 0.0,
        sagas_waiting=tuple(saga for saga, *_ in waiting),
        failing=sum(count for _, count, _ in failing),
        oldest_failing=max(0.0, now - failing[0][2]) if failing else 0.0,
        errors=tuple((saga_id, error) for saga_id, error in errors),
    )


def _entry(
    entry_id: str, saga_id: str, saga: str, document: str, written_at: float, tries: int
) -> Entry:
    return Entry(
        entry_id=entry_id,
        saga_id=saga_id,
        saga=saga,
        document=document,
        written_at=written_at,
        tries=tries,
    )
