"""What an open saga has under way: the ids of its messages, and the process that runs its step."""

from collections.abc import Sequence

from celery import current_app

from amends.definition.states import ENDED
from amends.dispatch.messages import task_id
from amends.log.answers import Entry
from amends.log.saga_log import log_of

SUFFIXES = {"": "", "f": ":fallback", "u": ":undo", "fu": ":fallback:undo"}


def ids_under_way(saga_id: str) -> list[str]:
    """Return the ids that the saga's current record, or its `advance`, may have in a queue or a worker."""
    entry = log_of(current_app).read_saga(saga_id)
    path = running_path(entry) or next_path(entry)
    return [*_ids(entry, "advance"), *_ids(entry, path)]


def find_running(saga_ids: Sequence[str], draw: int) -> list[str]:
    """Return the ids of the first saga, from a drawn one on, that has a step running; nothing if none has."""
    log = log_of(current_app)
    first = draw % len(saga_ids) if saga_ids else 0
    for saga_id in (*saga_ids[first:], *saga_ids[:first]):
        entry = log.read_saga(saga_id)
        path = running_path(entry)
        if entry.status not in ENDED and path is not None:
            return _ids(entry, path)
    return []


def running_pids(saga_ids: Sequence[str]) -> set[int]:
    """Return the pids of the processes that have a claim on one of these sagas."""
    log = log_of(current_app)
    entries = [log.read_saga(saga_id) for saga_id in saga_ids]
    owners = [
        entry.fields.get(f"{code}.o", "")
        for entry in entries
        for code in _in_state(entry, "running")
    ]
    return {int(owner.split(":")[1]) for owner in owners if owner}


def running_path(entry: Entry) -> str | None:
    """Return the path of the record that is claimed, if any."""
    return next((_path(entry, code) for code in _in_state(entry, "running")), None)


def next_path(entry: Entry) -> str:
    """Return the path of a record that waits for its message: a retried one, else the first untouched step."""
    waiting = next((_path(entry, code) for code in _in_state(entry, "pending")), None)
    if waiting is not None:
        return waiting
    names = [step.name for step in entry.itinerary.steps]
    untouched = (name for number, name in enumerate(names, 1) if f"{number}.s" not in entry.fields)
    return next(untouched, names[-1])


def _in_state(entry: Entry, state: str) -> list[str]:
    fields = entry.fields.items()
    return [name[:-2] for name, value in fields if name.endswith(".s") and value == state]


def _path(entry: Entry, code: str) -> str:
    number = code.rstrip("fu")
    return entry.itinerary.steps[int(number) - 1].name + SUFFIXES[code[len(number) :]]


def _ids(entry: Entry, path: str) -> list[str]:
    # Which number a message has depends on what it was published with; no other message has this path and its number.
    last = int(entry.fields.get("messages", 0))
    return [task_id(entry.id, number, path) for number in range(1, last + 1)]
