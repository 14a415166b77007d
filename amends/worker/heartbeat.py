"""The heartbeat of a worker, and who may be declared dead by it."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from amends.backend.outage_lines import OUTAGE
from amends.errors import ConfigurationError, LogUnavailable
from amends.log.heartbeats import VERSION
from amends.log.liveness import DEAD_AFTER
from amends.log.owner import WorkerProcess
from amends.log.profiles import Profile
from amends.log.saga_log import SagaLog

INTERVAL: Final = 2.0
"""Seconds between two beats."""

JUDGES_AFTER: Final = 15.0
"""Seconds of accepted beats, without a gap, before a worker judges others."""

_MOST_ENDED: Final = 100  # processes of the pool; their attempts are judged within seconds

_logger = logging.getLogger(__name__)


class Heartbeat:
    """Says now and then that this worker lives, which processes of its pool do, and what it is at.

    `pids`, `messages`, `queues` and `returned` tell those; `node` is what Celery calls this worker,
    `profile` what it takes, None while that is unknown. After each beat `after` hears
    whether the log accepted it. It goes on while the pool drains; `stop` ends it.
    """

    def __init__(
        self,
        log: SagaLog,
        pids: Callable[[], Iterable[int]],
        messages: Callable[[], Iterable[str] | None] = lambda: None,
        *,
        node: str = "",
        profile: Callable[[], Profile | None] = lambda: None,
        queues: Callable[[], Iterable[str] | None] = lambda: None,
        returned: Callable[[], Iterable[str]] = lambda: (),
        after: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._log = log
        self._node = node
        self._after = after
        self._profile = profile
        self._named: dict[int, float] = {}
        self._ended: dict[int, float] = {}
        self._told = ""
        self._has_changed = False
        self._pids = pids
        self._messages = messages
        self._queues = queues
        self._returned = returned
        self._accepted_since: float | None = None
        self._last = 0.0
        self._offset = 0.0  # of the log's clock
        self._ends = threading.Event()
        self._is_wanted = threading.Event()

    def start(self) -> None:
        """Begin to beat, in a thread."""
        threading.Thread(target=self._loop, name="amends-heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Stop the heartbeat."""
        self._ends.set()
        self._is_wanted.set()

    def hurry(self) -> None:
        """Let the next beat come at once."""
        self._is_wanted.set()

    def beat(self) -> None:
        """Write one heartbeat. Raises `LogUnavailable`."""
        pids = {os.getpid(), *self._pids()}
        self._note_ended(pids)
        at = self._log.workers.note_heartbeat(
            WorkerProcess.current.name,
            pids,
            self._messages(),
            node=self._node,
            version=VERSION,
            queues=self._queues(),
            returned=self._returned(),
        )
        self._named = dict.fromkeys(pids, at)
        if profile := self._profile():
            self._log.profiles.keep(profile)
            self._has_changed |= profile.digest != self._told
            self._told = profile.digest
        now = time.monotonic()
        has_leapt = abs(at - now - self._offset) > DEAD_AFTER / 2
        if self._accepted_since is None or now - self._last > DEAD_AFTER / 2 or has_leapt:
            self._accepted_since = now
        self._last, self._offset = now, at - now

    def _note_ended(self, pids: set[int]) -> None:
        """Note when the processes were last named, or killed at their limit, that are gone now: they died no earlier."""
        killed = WorkerProcess.current.killed
        lived = self._named | {pid: at + self._offset for pid, at in killed.copy().items()}
        gone = {pid: at for pid, at in lived.items() if pid not in pids}
        for pid in gone:
            killed.pop(pid, None)
        if gone:
            ended = {**self._ended, **gone}
            self._ended = dict(list(ended.items())[-_MOST_ENDED:])
            self._log.workers.note_ended(WorkerProcess.current.name, self._ended)

    def may_judge(self) -> bool:
        """Tell whether beats were accepted for long enough to judge others: not after an outage.

        Nor after the log's clock leapt, as at a failover to a server with another one: all heartbeats look old then.
        """
        now = time.monotonic()
        if self._accepted_since is None or now - self._last > DEAD_AFTER / 2:
            return False
        return now - self._accepted_since >= JUDGES_AFTER

    def takes_more(self) -> bool:
        """Tell, once, whether this worker has begun to take messages, or takes other ones than before."""
        changed, self._has_changed = self._has_changed, False
        return changed

    def _loop(self) -> None:
        while not self._ends.is_set():
            try:
                self.beat()
            except (LogUnavailable, ConfigurationError) as error:
                self._accepted_since = None
                OUTAGE.warn(_logger, "no heartbeat: %s", error)
            except Exception:
                self._accepted_since = None
                _logger.exception("no heartbeat; the next one tries again")
            self._after(self._accepted_since is not None)
            self._is_wanted.wait(INTERVAL)
            self._is_wanted.clear()
