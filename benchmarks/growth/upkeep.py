"""What a log with many sagas asks of its Redis and of the workers beside the sagas that run."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import redis
from celery import Celery

from amends.worker.retention import BATCH as REMOVED_AT_ONCE
from amends.worker.sweep import Sweep
from benchmarks.course import Course, environment_of
from benchmarks.growth.crowd import LIVE, grow
from benchmarks.growth.plan import Rows
from benchmarks.growth.saga import ELSEWHERE
from benchmarks.servers import Server
from demo.programs import running
from demo.servers import RedisServer

_DUE_AFTER: Final = 11.0  # seconds, until a sweep looks at a saga that was started
_REMOVALS: Final = 3


def fill(course: Course, kind: str, numbers: range) -> dict[str, Any]:
    """Let these others be in the log and in its file, and their messages in the broker; return what that took."""
    place, began = course.place, time.monotonic()
    place.client.config_set("appendonly", "no")
    memory = place.info("memory")["used_memory"]
    if kind == LIVE:
        with redis.Redis.from_url(_urls(course)["BENCH_BROKER"]) as broker:
            for _ in numbers[::1000]:
                broker.rpush(ELSEWHERE, *["{}"] * 1000)
    with course.log() as log:
        grow(log, kind, numbers)
    seconds, grown = time.monotonic() - began, place.info("memory")["used_memory"] - memory
    labels = {"what": "log", "seconds": seconds, "bytes_each": grown / len(numbers)}
    return {**labels, **_rewrite(place)}


def _rewrite(place: Server) -> dict[str, float]:
    """Let Redis write its file anew and go on with it; return how long that took, and how large it is."""
    began = time.monotonic()
    place.client.config_set("appendonly", "yes")
    while any(
        (info := place.info("persistence"))[f"aof_rewrite_{each}"]
        for each in ("in_progress", "scheduled")
    ):
        time.sleep(0.05)
    return {"rewrite_seconds": time.monotonic() - began, "file_bytes": info["aof_current_size"]}


def load_file(place: Server) -> dict[str, Any]:
    """Let another Redis read a copy of the log's file, as after a restart; return how long that took."""
    with tempfile.TemporaryDirectory() as directory:
        copy = RedisServer("copy", directory=Path(directory))
        shutil.copytree(place.data, copy.data, dirs_exist_ok=True)
        began = time.monotonic()
        with running(copy):
            return {"what": "load", "seconds": time.monotonic() - began}


def sweep_all(course: Course) -> Rows:
    """Look at all that are due while the worker is held, so that later runs meet sweeps at their usual pace."""
    app = Celery("sweep", broker=_urls(course)["BENCH_BROKER"], set_as_current=False)
    app.conf.amends_backend = _urls(course)["BENCH_LOG"]
    sweep, looked = Sweep(app, may_judge=lambda: False), 0
    course.worker.freeze()
    time.sleep(_DUE_AFTER)
    before, began = course.place.cpu_seconds(), time.monotonic()
    while found := sweep.run_once():
        looked += found
    row = {"what": "due", "looked": looked, **_spent(course, before, began)}
    course.worker.thaw()
    return [row]


def remove_some(course: Course) -> Rows:
    """Remove some that ended, as the retention does in one look."""
    rows: Rows = []
    with course.log() as log:
        for _ in range(_REMOVALS):
            before, began = course.place.cpu_seconds(), time.monotonic()
            ids = log.maintenance.read_ended(ago=0.0, limit=REMOVED_AT_ONCE)
            if not (removed := log.maintenance.remove_sagas(ids, kept_for=0.0)):
                break
            rows.append({"what": "removal", "removed": removed, **_spent(course, before, began)})
    return rows


def _spent(course: Course, cpu_before: float, began: float) -> dict[str, float]:
    seconds, cpu = time.monotonic() - began, course.place.cpu_seconds() - cpu_before
    return {"seconds": seconds, "cpu_log": cpu}


def _urls(course: Course) -> dict[str, str]:
    return environment_of(course.contender, course.place, broker=course.broker)
