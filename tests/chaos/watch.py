"""The samples of a run: twice a second, how the system is. A program that ended by itself is started again."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from amends import LogUnavailable
from demo.servers import RedisServer
from tests.chaos.queues import BrokerAway
from tests.chaos.scene import Scene
from tests.chaos.standstill import Sample

EVERY = 0.5
TIMEOUT = 0.4


class Watch:
    """Samples, and follows the orders, in threads of its own while the context is open."""

    def __init__(self, scene: Scene) -> None:
        self.samples: list[Sample] = []
        self.ended_by_themselves: list[str] = []
        self._scene = scene
        self._ends = threading.Event()
        once = Retry(NoBackoff(), 0)
        timeouts = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
        log = scene.system.log
        if isinstance(log, RedisServer):
            self._ask_log: Callable[[], object] = Redis.from_url(
                log.way, retry=once, **timeouts
            ).ping
        else:  # a failover lasts until the replicas are there again that are waited for
            self._ask_log = partial(log.answers, replicas=scene.system.wait_replicas)
        self._asking = ThreadPoolExecutor(4, thread_name_prefix="watch")
        self._loops = [
            self._asking.submit(self._loop, look) for look in (self._sample, self._follow)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for loop in self._loops:
            loop.result()  # an error in it is one of the harness
        self._asking.shutdown()

    def _loop(self, look: Callable[[], None]) -> None:
        while not self._ends.wait(EVERY):
            look()

    def _sample(self) -> None:
        at, system = time.time(), self._scene.system
        log, queued = self._asking.submit(self._log_answers), self._asking.submit(self._queued)
        workers = system.workers.items()
        alive = tuple(name for name, each in workers if not each.frozen and each.answers())
        lengths = queued.result()
        sample = Sample(
            at=at,
            log=log.result(),
            broker=lengths is not None,
            workers=alive,
            queued={queue: count for queue, count in (lengths or {}).items() if count},
        )
        self.samples.append(sample)
        told = {name: value for name, value in vars(sample).items() if name != "at"}
        self._scene.events.write("sample", **told, open=len(self._scene.orders.open_ids()))
        for program in system.programs:
            if program.failed:  # started again, as a supervisor does; the verdict counts it
                self.ended_by_themselves.append(program.name)
                self._scene.events.write("program.ended", name=program.name)
                program.start()

    def _follow(self) -> None:
        try:
            self._scene.orders.look()
        except LogUnavailable:
            return  # the next look tells

    def _log_answers(self) -> bool:
        try:
            return bool(self._ask_log())
        except RedisError:
            return False

    def _queued(self) -> dict[str, int] | None:
        try:
            return dict(self._scene.queues.lengths())
        except BrokerAway:
            return None
