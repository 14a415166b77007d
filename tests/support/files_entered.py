"""Files of the engine that an action enters: ``python -m tests.support.files_entered``.

A file counts if one of its functions is called during the action; what an import runs does not count. The app, its
Redis (broker and saga log) and its worker are real. The worker runs in this process with the solo pool, so that its
main thread receives messages and runs tasks; only that thread or the caller's is traced. Heartbeat, sweep and the
sender of events have threads of their own.
"""

import contextlib
import importlib.util
import json
import queue
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from celery import Celery
from celery.contrib.testing.worker import start_worker, test_worker_started
from celery.signals import task_postrun
from pydantic import BaseModel
from redis import Redis

from amends import Refused, RetryPolicy, Saga, Step, activity
from tests.support.servers import shared_redis

ENGINE = Path(importlib.util.find_spec("amends").origin).parent
TIMERS = {"worker/task_events.py"}
"""Files that a timer of the worker enters in the traced thread, once a second, whatever the action is."""
PATIENCE = 30.0  # seconds
ROUNDS = 3
"""Of each action; the one that enters the fewest files counts."""
STANDING = {"completed", "compensated", "stuck"}
airline_is_down = threading.Event()


class Trip(BaseModel):
    """Input: `full` makes the last step refuse."""

    trip_id: str
    full: bool = False


class Booking(BaseModel):
    reference: str


class TripResult(BaseModel):
    trip_id: str
    outcome: str
    error: str | None


@activity
def book_flight(trip: Trip) -> Booking:
    return Booking(reference=trip.trip_id)


@activity(retry=RetryPolicy(max_attempts=1))
def cancel_flight(trip: Trip, booking: Booking | None) -> None:
    if airline_is_down.is_set():
        raise ValueError("the airline does not answer")


@activity
def book_hotel(trip: Trip) -> Booking:
    if trip.full:
        raise Refused("no room")
    return Booking(reference=trip.trip_id)


trip_saga = Saga(
    "trip",
    input=Trip,
    output=TripResult,
    steps=[Step(book_flight, compensation=cancel_flight), Step(book_hotel, compensation=None)],
)


class Tracer:
    """Collect the engine's files whose functions are called (`sys.setprofile`), by thread."""

    def __init__(self) -> None:
        self._calls: set[tuple[int, str]] | None = None

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and (calls := self._calls) is not None:
            calls.add((threading.get_ident(), frame.f_code.co_filename))

    def files(self, thread: int, action: Callable[[], object]) -> list[str]:
        """Return the files that this thread enters until the action returns, relative to the engine's folder."""
        calls = self._calls = set()
        try:
            action()
        finally:
            self._calls = None
        paths = {Path(file) for ident, file in calls if ident == thread}
        files = {str(path.relative_to(ENGINE)) for path in paths if path.is_relative_to(ENGINE)}
        return sorted(files - TIMERS)


@contextlib.contextmanager
def traced_worker(app: Celery, tracer: Tracer) -> Iterator[int]:
    """Run a worker; trace its threads and this one. Yield the identifier of the worker's main thread."""
    started: queue.SimpleQueue[int] = queue.SimpleQueue()

    def note_thread(**_: object) -> None:
        started.put(threading.get_ident())

    test_worker_started.connect(note_thread)
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    try:
        options = {"loglevel": "CRITICAL", "perform_ping_check": False, "shutdown_timeout": 60}
        with start_worker(app, pool="solo", **options):
            yield started.get(timeout=PATIENCE)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def trace(url: str) -> dict[str, list[str]]:
    """Return the files that each action enters with its caches filled, with broker and saga log in databases of the Redis at `url`."""
    app = make_app(url)
    tracer, caller = Tracer(), threading.get_ident()
    tasks_done: queue.SimpleQueue[None] = queue.SimpleQueue()

    @task_postrun.connect
    def note_task(**_: object) -> None:
        tasks_done.put(None)

    def finish(saga_id: str) -> None:
        """Wait for the end of the task that ended the saga, or left it stuck."""
        tasks_done.get(timeout=PATIENCE)
        while trip_saga.get(saga_id).status not in STANDING:
            tasks_done.get(timeout=PATIENCE)

    def run(saga_id: str, **fields: bool) -> None:
        trip_saga.start(Trip(trip_id=saga_id, **fields), saga_id=saga_id)
        finish(saga_id)

    def retry(saga_id: str) -> None:
        trip_saga.get(saga_id).retry(by="ada", why="the airline answers again")

    def act(number: int) -> dict[str, list[str]]:
        """Do each action once; return the files that it entered."""
        found = {"two steps": tracer.files(worker, lambda: run(f"two-steps-{number}"))}
        start = f"start-{number}"
        begin = partial(trip_saga.start, Trip(trip_id=start), saga_id=start)
        found["start"] = tracer.files(caller, begin)
        finish(start)
        found["way back"] = tracer.files(worker, lambda: run(f"way-back-{number}", full=True))
        call, again = f"call-{number}", f"retry-{number}"
        airline_is_down.set()
        run(call, full=True)
        run(again, full=True)
        airline_is_down.clear()
        found["operator's call"] = tracer.files(caller, lambda: retry(call))
        finish(call)
        found["retry"] = tracer.files(worker, lambda: (retry(again), finish(again)))
        return found

    with traced_worker(app, tracer) as worker:
        run("first")  # fills the caches, as the next one does
        run("first-back", full=True)
        rounds = [act(number) for number in range(ROUNDS)]
    # A connection that is new, or another thread's turn with it, lets an action prepare its message anew.
    return {action: min((each[action] for each in rounds), key=len) for action in rounds[0]}


def make_app(url: str) -> Celery:
    """Make the current app; its two databases are emptied."""
    broker, log = (f"{url}/{database}" for database in (12, 13))
    for each in (broker, log):
        with Redis.from_url(each) as client:
            client.flushdb()
    app = Celery("trip", broker=broker)
    app.conf.broker_pool_limit = 1  # with a second producer, its first message is prepared anew
    app.conf.amends_backend = log
    app.set_default()
    app.finalize()
    return app


def main() -> None:
    """Print a table, or with ``--json`` one document."""
    with tempfile.TemporaryDirectory() as directory, shared_redis(Path(directory)) as url:
        found = trace(url)
    if "--json" in sys.argv:
        print(json.dumps(found))  # noqa: T201
        return
    for action, files in found.items():
        print(f"{action}: {len(files)}", *files, sep="\n    ")  # noqa: T201


if __name__ == "__main__":
    main()
