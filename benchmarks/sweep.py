"""What sweeps cost with few and with many sagas alive: ``python -m benchmarks.sweep``.

Every saga waits for its first message, in a queue that has one for each and that nobody consumes. Measured are a sweep
with nothing due, one with 100 sagas due, and ten minutes of one worker's sweeps, one every ten seconds, for which the
log's times are moved instead of waited for: how much time they take, and how many messages are published again.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import redis
from celery import Celery
from rich.console import Console
from rich.table import Table

from amends.log.saga_log import SagaLog, log_of
from amends.worker.sweep import BATCH, Sweep
from demo.servers import own_redis
from sagas.order import order_saga

SIZES: Final = (1_000, 100_000)
ROUNDS: Final = 15
DUE: Final = 100
STARTED_AT_ONCE: Final = 2_000
STEP: Final = 10  # seconds
STEPS: Final = 60
QUEUE: Final = "orders"

# Lets time pass for one shard: KEYS[1] its due sagas, ARGV[1] what a saga's key begins with, ARGV[2] ms.
_SHIFT: Final = """
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  redis.call('ZINCRBY', KEYS[1], -ARGV[2], id)
  redis.call('HINCRBY', ARGV[1] .. id, 'sent', -ARGV[2])
end"""


def main() -> int:
    """Measure, and print a table."""
    table = Table("sagas alive", "nothing due, ms", f"{DUE} due, ms", "10 minutes, s", "published")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as directory, own_redis(Path(directory)) as url:
            table.add_row(f"{size:,}", *_measure(url, size))
    Console().print(table)
    return 0


def _measure(url: str, size: int) -> list[str]:
    app = Celery("sweep", broker=f"{url}/0", set_as_current=False)
    app.conf.update(amends_backend=f"{url}/1", task_default_queue=QUEUE)
    log: SagaLog = log_of(app)
    client: Any = redis.Redis.from_url(f"{url}/1")
    broker: Any = redis.Redis.from_url(f"{url}/0")
    _fill(log, broker, size)

    def sweep() -> None:
        while Sweep(app, may_judge=lambda: False).run_once() >= BATCH:
            pass

    idle = [_seconds(sweep) for _ in range(ROUNDS)]
    busy = []
    for _ in range(ROUNDS):
        for n in range(DUE):
            client.zadd(log._store.keys_of(f"s-{n}")[2], {f"s-{n}": 0})  # noqa: SLF001
        busy.append(_seconds(sweep))
    client.config_set(
        "appendonly", "no"
    )  # moving the times of all of them is no part of what is measured
    long = 0.0
    for _ in range(STEPS):
        for shard in range(64):
            prefix = f"amends:{{{shard}}}:"
            client.eval(_SHIFT, 1, f"{prefix}due", f"{prefix}saga:", STEP * 1000)
        long += _seconds(sweep)
    published = sum(broker.llen(queue) for queue in (QUEUE, "inventory")) - size
    return [_median(idle), _median(busy), f"{long:.1f}", f"{published:,}"]


def _fill(log: SagaLog, broker: Any, size: int) -> None:
    ids = [f"s-{n}" for n in range(size)]
    for first in range(0, size, STARTED_AT_ONCE):
        starts = [(each, "{}") for each in ids[first : first + STARTED_AT_ONCE]]
        log.starts.start_sagas(order_saga.itinerary, starts)
        broker.rpush(QUEUE, *["{}"] * len(starts))


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _median(seconds: list[float]) -> str:
    low, high = min(seconds) * 1000, max(seconds) * 1000
    return f"{statistics.median(seconds) * 1000:.1f} ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    sys.exit(main())
