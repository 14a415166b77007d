"""What is watched of the neighbourhood, second by second: messages, and sagas alive."""

import threading
import time
from collections.abc import Mapping
from typing import Final, Self

from celery import Celery
from redis import Redis
from redis.exceptions import RedisError

from amends import SagaError
from amends.log.saga_log import log_of
from tests.neighbourhood.apps import QUEUES

MARGIN: Final = 1.05  # messages for each saga alive
FEW: Final = 5  # messages more, where hardly a saga is alive: one for each queue, to find out whether it moves


class Watch:
    """Looks each second while it is entered.

    apps: by name, with one Redis broker each and one saga log for all.
    most: the most messages that were seen, and the sagas alive then.
    grew: sentences for the moments when there were too many.
    """

    def __init__(self, apps: Mapping[str, Celery]) -> None:
        self.most, self.grew = (0, 0), list[str]()
        self._log = log_of(next(iter(apps.values())))
        self._brokers = {name: Redis.from_url(app.conf.broker_url) for name, app in apps.items()}
        self._began = time.monotonic()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def alive(self) -> int:
        """Count the sagas that have not ended. Raises `SagaError`."""
        return self._log.maintenance.count_live()

    def _loop(self) -> None:
        while not self._ends.wait(1.0):
            try:
                self._look()
            except (SagaError, RedisError):
                continue  # the log stands still

    def _look(self) -> None:
        messages = sum(
            int(client.llen(queue))
            for name, client in self._brokers.items()
            for queue in QUEUES[name]
        )
        alive = self.alive()  # later: a start writes the log before it sends
        self.most = max(self.most, (messages, alive))
        if messages > alive * MARGIN + FEW:
            at = time.monotonic() - self._began
            self.grew.append(f"after {at:.0f} s {messages} messages for {alive} sagas alive")
