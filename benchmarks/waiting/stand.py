"""A worker, a log and a broker, and sagas that the worker brings to their wait."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import redis
from celery import Celery

from benchmarks.cluster.upkeep import app_of
from benchmarks.contenders import Contender
from benchmarks.course import BROKER, LOG, PATIENCE, Course, course
from benchmarks.growth.others import two_servers
from benchmarks.growth.plan import Say
from benchmarks.waiting.saga import DUE

WARM: Final = 10
MODULE: Final = "benchmarks.waiting.saga"
_AT_ONCE: Final = 2_000
"""Sagas that are on their way to their wait at most: their messages are not so old that a sweep looks after them."""


@dataclass(frozen=True, kw_only=True)
class Stand:
    """A warm worker with a log and a broker of its own."""

    course: Course

    @property
    def app(self) -> Celery:
        """An app that looks at log and broker."""
        place, broker = self.course.place, self.course.broker or self.course.place
        return app_of(f"{place.url}/{LOG}", f"{broker.url}/{BROKER}")

    def bring_to_wait(self, numbers: range, say: Say) -> float:
        """Start sagas of these numbers, and return how many seconds it took until the last of them waits."""
        began = time.monotonic()
        with self.course.log() as log:
            before = log.read_gauges().waiting
        for first in range(numbers.start, numbers.stop, _AT_ONCE):
            last = min(first + _AT_ONCE, numbers.stop)
            self.course.driver.start_many(range(first, last))
            self._await(before + last - numbers.start)
            say(f"{last - numbers.start:,} of {len(numbers):,} sagas wait")
        return time.monotonic() - began

    def _await(self, count: int) -> None:
        seen, until = -1, 0.0
        with self.course.log() as log:
            while (now := log.read_gauges().waiting) < count:
                if now > seen:
                    seen, until = now, time.monotonic() + PATIENCE
                elif time.monotonic() > until:
                    logged = self.course.worker.logged()[-2000:]
                    raise TimeoutError(f"{now} of {count} sagas wait: {logged}")
                time.sleep(0.1)

    def messages(self) -> int:
        """Count the messages in the broker, in queues and unacknowledged."""
        broker = self.course.broker or self.course.place
        with redis.Redis.from_url(f"{broker.url}/{BROKER}") as client:
            found: Any = client.llen("celery") + client.hlen("unacked")
        return int(found)

    def in_hand(self) -> int:
        """Count the messages that the worker has fetched: those that run, and those that are to."""
        inspect: Any = self.app.control.inspect(timeout=5.0)
        answers = [inspect.active(), inspect.reserved(), inspect.scheduled()]
        if None in answers:
            raise TimeoutError("the worker does not answer")
        return sum(len(each) for answer in answers for each in answer.values())

    def calls(self, first: int, numbers: range) -> dict[str, int]:
        """Count the calls of the last step by saga, from the `first` stamp on: all, and sagas without one and with several."""
        calls = Counter(each.number for each in self.course.stamps.read(first))
        mine = [calls[number] for number in numbers]
        return {
            "calls": sum(mine),
            "missing": mine.count(0),
            "repeated": sum(each > 1 for each in mine),
        }


@contextlib.contextmanager
def stand(kind: str, *, processes: int, spread: float = 0.0) -> Iterator[Stand]:
    """Run a stand whose sagas are of this kind.

    processes: of the worker.
    spread: `amends_timer_spread`, in seconds.
    """
    with two_servers() as (place, broker):
        environment: Mapping[str, str] = {
            "BENCH_KIND": kind,
            "BENCH_SPREAD": str(spread),
            DUE: str(place.directory / "due"),
        }
        contender = Contender(kind, kind, MODULE, environment=environment)
        # As in a log with many sagas: a small index is stored in a tenth of the space that its entries take later.
        place.client.config_set("zset-max-ziplist-entries", 0)
        with course(contender, place, broker=broker, warm=WARM, concurrency=processes) as running:
            yield Stand(course=running)
