"""The samples of a run: twice a second, how the system is. A worker that ended by itself is started again."""

import threading
from concurrent.futures import ThreadPoolExecutor
from time import time
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from amends import LogUnavailable
from tests.chaos.event_log import EventLog
from tests.chaos.orders import Orders
from tests.chaos.queues import BrokerAway, Queues
from tests.chaos.standstill import Sample
from tests.chaos.system import System

EVERY = 0.5
TIMEOUT = 0.4


class Watch:
    """Samples in threads of its own, from `start` to `stop`."""

    def __init__(self, system: System, orders: Orders, queues: Queues, events: EventLog) -> None:
        self.samples: list[Sample] = []
        self.ended_by_themselves: list[str] = []
        self._system = system
        self._orders = orders
        self._queues = queues
        self._events = events
        self._ends = threading.Event()
        self._log: Any = Redis.from_url(
            system.log.url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
        loops = (self._sample, self._follow)
        self._threads = [threading.Thread(target=self._loop, args=(loop,)) for loop in loops]
        self._asking = ThreadPoolExecutor(2, thread_name_prefix="sample")

    def start(self) -> None:
        """Begin to sample."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Sample no more."""
        self._ends.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        self._asking.shutdown()

    def _loop(self, once: Any) -> None:
        while not self._ends.is_set():
            try:
                once()
            except Exception as error:
                self._events.write("watch.failed", error=repr(error))
                raise
            self._ends.wait(EVERY)

    def _sample(self) -> None:
        at = time()
        log, queued = self._asking.submit(self._log_answers), self._asking.submit(self._queued)
        workers = tuple(
            name
            for name, worker in self._system.workers.items()
            if worker.lives and worker.answers()
        )
        lengths = queued.result()
        sample = Sample(
            at=at,
            log=log.result(),
            broker=lengths is not None,
            workers=workers,
            queued={queue: count for queue, count in (lengths or {}).items() if count},
        )
        self.samples.append(sample)
        self._events.write(
            "sample",
            log=sample.log,
            broker=sample.broker,
            workers=workers,
            queued=sample.queued,
            open=len(self._orders.open_ids()),
        )
        self._start_again()

    def _follow(self) -> None:
        try:
            self._orders.look()
        except LogUnavailable:
            return  # the next look tells

    def _log_answers(self) -> bool:
        try:
            return bool(self._log.ping())
        except RedisError:
            return False

    def _queued(self) -> Any:
        try:
            return self._queues.lengths()
        except BrokerAway:
            return None

    def _start_again(self) -> None:
        """Start what ended although nobody asked for it, as a supervisor does; the verdict counts it."""
        for program in self._system.programs:
            if program.failed:
                self.ended_by_themselves.append(program.name)
                self._events.write("program.ended", name=program.name)
                program.start()
