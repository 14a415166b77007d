"""What workers cost the log by how many they are: each reads the heartbeats of all at every sweep."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Final

from amends.log.saga_log import SagaLog, log_of
from benchmarks.capacity.costs import Rows, log_on_a_redis, spent
from benchmarks.cluster.upkeep import ASKED, app_of

_PROCESSES: Final = 8
_MESSAGES: Final = 5 * _PROCESSES
"""Unacknowledged ones of a worker: Celery fetches four for each process, and each runs one."""


def measure_fleet(sizes: tuple[int, ...], *, rounds: int, say: Callable[[str], None]) -> Rows:
    """Measure the heartbeats of so many workers, and a sweep of one of them, round by round."""
    rows: Rows = []
    with log_on_a_redis() as (place, _):
        place.client.config_set("appendfsync", "no")
        app = app_of(f"{place.url}/0", "memory://")
        log = log_of(app)
        _beat(log, 1)  # it loads the scripts
        for number in range(rounds):
            for size in sizes:
                place.clear()
                beats = spent(place, partial(_beat, log, size), size)
                sweep = spent(place, partial(ASKED["sweep"], app), 1)
                labels = {"what": "fleet", "round": number, "workers": size}
                rows.append({**labels, "beat": beats["thread"], "sweep": sweep["thread"]})
        say(f"fleets of {', '.join(map(str, sizes))} workers")
    return rows


def _beat(log: SagaLog, workers: int) -> None:
    for number in range(workers):
        pids = range(1_000 * number, 1_000 * number + _PROCESSES)
        messages = [str(uuid.uuid4()) for _ in range(_MESSAGES)]
        log.workers.note_heartbeat(
            f"{number:012x}",
            pids,
            messages,
            node=f"celery@worker-{number}",
            version="1",
            queues=["celery"],
        )
