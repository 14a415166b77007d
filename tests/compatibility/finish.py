"""How what was left behind is finished, by whichever release this process runs: a worker, its sweep, and an operator."""

import dataclasses
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from celery import Celery
from celery.contrib.testing.worker import start_worker

from amends.dispatch.coordinator import advance
from amends.log.saga_log import log_of
from amends.saga.handle import Handle
from amends.worker.sweep import Sweep
from tests.compatibility import fixture
from tests.compatibility.moves import Moves
from tests.compatibility.receiver import receiver
from tests.compatibility.sagas import SAGAS

SHARDS: Final = 2
LAY: Final = 30_000  # ms that the log lay before it is finished
WITHIN: Final = 100.0  # seconds
ENDED: Final = ("completed", "compensated")
NEW: Final = {"frame", "undo_frame"}  # in a snapshot since the release before
PARKED: Final = ("no worker knows", "its input")


@contextmanager
def app_on(url: str) -> Iterator[Celery]:
    """Give the app, current from now on, on a Redis."""
    os.environ["RECEIVER"] = f"{url}/{fixture.RECEIVER}"
    app = Celery("compatibility", broker=f"{url}/{fixture.BROKER}")
    app.conf.update(
        amends_backend=f"{url}/{fixture.LOG}",
        amends_shards=SHARDS,
        amends_sweep_interval=0.2,
        amends_compensation_queue="undo",
        task_default_queue="work",
        task_queues={name: {"exchange": name, "routing_key": name} for name in ("work", "undo")},
        worker_prefetch_multiplier=1,
    )
    app.set_current()
    app.set_default()
    app.finalize()
    try:
        yield app
    finally:
        app.close()
        del os.environ["RECEIVER"]


def load(url: str, contents: Mapping[str, Any]) -> None:
    """Write log and broker as they are some time after they were read, and an empty receiver."""
    for database in (fixture.LOG, fixture.BROKER, fixture.RECEIVER):
        fixture.client_of(url, database).flushdb()
    log = fixture.client_of(url, fixture.LOG)
    now = fixture.now_of(log) - LAY
    fixture.write_database(log, contents["log"], now)
    fixture.write_database(fixture.client_of(url, fixture.BROKER), contents["broker"], now)


def _with_what_was(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in members if name not in NEW}


def seen(saga_id: str, saga: str) -> Any:
    """Return what is read of a saga, and of its history, as far as the release before reads it too."""
    handle: Handle[Any] = SAGAS[saga].get(saga_id)
    snapshot = dataclasses.asdict(handle.snapshot(), dict_factory=_with_what_was)
    events = [[each.name, each.record, each.count] for each in handle.history()]
    return json.loads(json.dumps({**snapshot, "events": events}))


def finish(app: Celery, sagas: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Repeat the last act on each saga, go on where workers were at it, let all end, and return what each came to."""
    repeated = {}
    for saga_id, told in sagas.items():
        moves = Moves(app, saga_id, told["saga"], told["tokens"])
        if told["last_act"]:
            repeated[saga_id] = moves.act(*told["last_act"])
        moves.make(told["then"])
        if told["last_act"] or told["then"]:
            advance(app, saga_id)
    how: Any = {"pool": "threads", "concurrency": 4, "loglevel": "CRITICAL", "shutdown_timeout": 30}
    with start_worker(app, perform_ping_check=False, **how):
        _await_ends(
            app, {saga_id: SAGAS[told["saga"]].get(saga_id) for saga_id, told in sagas.items()}
        )
    return {
        saga_id: {
            **seen(saga_id, told["saga"]),
            "output": SAGAS[told["saga"]].get(saga_id).wait(timeout=1.0).model_dump(mode="json"),
            "calls": receiver().calls(saga_id),
            "effects": receiver().effects(saga_id),
            "repeated": repeated.get(saga_id),
        }
        for saga_id, told in sagas.items()
    }


def _await_ends(app: Celery, live: dict[str, Handle[Any]]) -> None:
    """Let a sweep look at what lives again and again, and an operator help what is at rest."""
    sweep, until = Sweep(app, may_judge=lambda: True), time.monotonic() + WITHIN
    retried: set[str] = set()
    while live:
        for saga_id, handle in list(live.items()):
            snapshot = handle.snapshot()
            if snapshot.status in ENDED:
                del live[saga_id]
            elif snapshot.paused:
                handle.resume()
            elif snapshot.status == "stuck" and not (snapshot.reason or "").startswith(PARKED):
                handle.retry()
                retried.add(saga_id)
            else:
                sweep.heal(saga_id)
        if time.monotonic() > until:
            where = [log_of(app).read_saga(saga_id).fields for saga_id in live]
            raise AssertionError(f"{len(live)} sagas do not end: {where[:3]}")
        time.sleep(0.2)
