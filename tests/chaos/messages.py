"""What an open saga has under way: the ids of its messages, and the process that runs its step."""

from collections.abc import Sequence

from celery import current_app

from amends.definition.states import ENDED
from amends.dispatch.messages import task_id
from amends.log.record import HeldClaim
from amends.log.saga_log import log_of
from amends.log.saga_state import Entry


def ids_under_way(saga_id: str) -> list[str]:
    """Return the ids that the saga's current record, or its `advance`, may have in a queue or a worker."""
    entry = log_of(current_app).read_saga(saga_id)
    return _ids(entry, "advance", *_claims(entry) or [_next_path(entry)])


def find_running(saga_ids: Sequence[str], draw: int) -> list[str]:
    """Return the ids of the first saga, from a drawn one on, that has a step running; nothing if none has."""
    first = draw % len(saga_ids) if saga_ids else 0
    for saga_id in (*saga_ids[first:], *saga_ids[:first]):
        entry = log_of(current_app).read_saga(saga_id)
        if entry.status not in ENDED and (claims := _claims(entry)):
            return _ids(entry, *claims)
    return []


def running_pids(saga_ids: Sequence[str]) -> set[int]:
    """Return the pids of the processes that have a claim on one of these sagas."""
    entries = map(log_of(current_app).read_saga, saga_ids)
    claims = [claim for entry in entries for claim in _claims(entry).values()]
    return {int(claim.owner.pid) for claim in claims if claim.owner}


def _claims(entry: Entry) -> dict[str, HeldClaim]:
    return {path: each.claim for path, each in entry.records.items() if each.claim is not None}


def _next_path(entry: Entry) -> str:
    """Return the path of a record that waits for its message: a retried one, else the first untouched step."""
    records = entry.records
    steps = [name for step in entry.itinerary.steps for name in entry.names_of(step.name)]
    waiting = [
        path for path, each in records.items() if each.was_touched and each.state == "pending"
    ]
    untouched = [path for path in steps if not records[path].was_touched]
    return [*waiting, *untouched, steps[-1]][0]


def _ids(entry: Entry, *paths: str) -> list[str]:
    # Which number a message has depends on what it was published with; no other message has this path and its number.
    last = int(entry.fields.get("messages", 0))
    return [task_id(entry.id, number, path) for path in paths for number in range(1, last + 1)]
