"""What a log with many sagas asks of its Redis and of the workers beside the sagas that run."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import redis

from amends.worker.retention import BATCH as REMOVED_AT_ONCE
from amends.worker.sweep import Sweep
from benchmarks.growth.crowd import Crowd
from benchmarks.growth.plan import Rows
from benchmarks.growth.sagas import ELSEWHERE
from benchmarks.growth.stand import Stand
from benchmarks.processes import Bed
from demo.leash import leashed
from demo.ports import LOOPBACK, free_port
from demo.servers import redis_answers, redis_command

_PUSHED_AT_ONCE: Final = 10_000
_SWEEPS: Final = 10
_REMOVALS: Final = 3
_GRACE: Final = 2.0  # seconds that a Redis has to end

# Makes all of a shard due: KEYS[1] its set of what is due.
_ALL_DUE: Final = """
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], 0, id) end"""


def fill(stand: Stand, crowd: Crowd, size: int) -> dict[str, Any]:
    """Let so many others be in the log, and in its file, and their messages in the broker."""
    client = stand.log_client
    client.config_set("appendonly", "no")
    before, began = crowd.size, time.monotonic()
    memory = _used_memory(client)
    _push(stand, crowd.queued(size) - _queued(stand))  # first, or they seem lost
    crowd.grow(size)
    seconds = time.monotonic() - began
    return {
        "what": "log",
        "seconds": seconds,
        "bytes_each": (_used_memory(client) - memory) / (size - before),
        **_keep_in_file(client),
    }


def _keep_in_file(client: redis.Redis) -> dict[str, float]:
    """Let Redis write a file anew and go on with it; tell how long that took, and how large it is."""
    began = time.monotonic()
    client.config_set("appendonly", "yes")
    while (info := _persistence(client))["aof_rewrite_in_progress"] or info[
        "aof_rewrite_scheduled"
    ]:
        time.sleep(0.05)
    return {"rewrite_seconds": time.monotonic() - began, "file_bytes": info["aof_current_size"]}


def measure_upkeep(stand: Stand, crowd: Crowd) -> Rows:
    """Measure what is for the log as a whole. Some of the others are gone after it."""
    stand.worker.hold()
    rows: Rows = [{"what": "load", "seconds": _load(stand.log_bed)}]
    if crowd.kind == "live":
        rows += _sweep_all(stand)
    else:
        rows += [row for _ in range(_REMOVALS) if (row := _remove(stand))["removed"]]
    stand.worker.release()
    return rows


def _load(place: Bed) -> float:
    """Let another Redis read a copy of a log's file, as after a restart; return the seconds until it answers."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "redis"
        shutil.copytree(place.directory / "redis", copy)
        port = free_port()
        began = time.monotonic()
        command = leashed(redis_command(port, copy), grace=_GRACE)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
        try:
            while not redis_answers(f"redis://{LOOPBACK}:{port}"):
                time.sleep(0.05)
            return time.monotonic() - began
        finally:
            process.terminate()
            process.wait()


def _sweep_all(stand: Stand) -> Rows:
    """Make all of them due, and look at some."""
    store: Any = stand.log._store  # noqa: SLF001 - keys are the store's to name
    client: Any = stand.log_client
    for shard in range(store.shards):
        client.eval(_ALL_DUE, 1, store.due_key(shard))
    rows: Rows = []
    for _ in range(_SWEEPS):
        before, began = stand.log_bed.cpu_seconds(), time.monotonic()
        if not (looked := Sweep(stand.app, may_judge=lambda: True).run_once()):
            break
        seconds, cpu = time.monotonic() - began, stand.log_bed.cpu_seconds() - before
        rows.append({"what": "due", "looked": looked, "seconds": seconds, "cpu_log": cpu})
    return rows


def _remove(stand: Stand) -> dict[str, Any]:
    """Remove what has ended as the retention does in one look, but at once."""
    before, began = stand.log_bed.cpu_seconds(), time.monotonic()
    ids = stand.log.maintenance.read_ended(ago=0.0, limit=REMOVED_AT_ONCE)
    removed = stand.log.maintenance.remove_sagas(ids, kept_for=0.0)
    seconds, cpu = time.monotonic() - began, stand.log_bed.cpu_seconds() - before
    return {"what": "removal", "removed": removed, "seconds": seconds, "cpu_log": cpu}


def _push(stand: Stand, count: int) -> None:
    """Let the queue that nobody consumes have so many more messages."""
    with redis.Redis.from_url(f"{stand.broker_bed.url}/{stand.database}") as broker:
        for first in range(0, count, _PUSHED_AT_ONCE):
            broker.rpush(ELSEWHERE, *["{}"] * min(_PUSHED_AT_ONCE, count - first))


def _queued(stand: Stand) -> int:
    with redis.Redis.from_url(f"{stand.broker_bed.url}/{stand.database}") as broker:
        length: Any = broker.llen(ELSEWHERE)
    return int(length)


def _used_memory(client: redis.Redis) -> int:
    info: Any = client.info("memory")
    return int(info["used_memory"])


def _persistence(client: redis.Redis) -> dict[str, Any]:
    info: Any = client.info("persistence")
    return dict(info)
