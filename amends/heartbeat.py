"""The heartbeat of a worker, and who may be declared dead by it."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Final

from amends.answers import Heartbeat as Beat
from amends.dispatches import Running
from amends.errors import LogUnavailable
from amends.log import Cost, SagaLog
from amends.messages import worker_name

INTERVAL: Final = 2.0
"""Seconds between two beats."""
DEAD_AFTER: Final = 10.0
"""Seconds after which a worker that did not beat is dead."""
JUDGES_AFTER: Final = 15.0
"""Seconds of accepted beats, without a gap, before a worker judges others."""
VERSION: Final = version("amends")

_logger = logging.getLogger(__name__)


class Heartbeat:
    """Says now and then that this worker lives, which processes of its pool do, and what it is at.

    `pids` and `messages` tell those; `node` is what Celery calls this worker. After each beat `after` hears
    whether the log accepted it. It goes on while the pool drains; `stop` ends it.
    """

    def __init__(
        self,
        log: SagaLog,
        pids: Callable[[], Iterable[int]],
        messages: Callable[[], Iterable[str] | None] = lambda: None,
        *,
        node: str = "",
        after: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._log = log
        self._node = node
        self._after = after
        self._pids = pids
        self._messages = messages
        self._accepted_since: float | None = None
        self._last = 0.0
        self._ends = threading.Event()

    def start(self) -> None:
        """Begin to beat, in a thread."""
        threading.Thread(target=self._loop, name="amends-heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Beat no more."""
        self._ends.set()

    def beat(self) -> None:
        """Beat once. Raises `LogUnavailable`."""
        pids = {os.getpid(), *self._pids()}
        self._log.workers.note_heartbeat(
            worker_name(), pids, self._messages(), node=self._node, version=VERSION
        )
        now = time.monotonic()
        if self._accepted_since is None or now - self._last > DEAD_AFTER / 2:
            self._accepted_since = now
        self._last = now

    def may_judge(self) -> bool:
        """Tell whether beats were accepted for long enough to judge others: not after an outage."""
        now = time.monotonic()
        if self._accepted_since is None or now - self._last > DEAD_AFTER / 2:
            return False
        return now - self._accepted_since >= JUDGES_AFTER

    def _loop(self) -> None:
        while not self._ends.is_set():
            try:
                self.beat()
            except LogUnavailable as error:
                self._accepted_since = None
                _logger.warning("no heartbeat: %s", error)
            except Exception:
                self._accepted_since = None
                _logger.exception("no heartbeat; the next one tries again")
            self._after(self._accepted_since is not None)
            self._ends.wait(INTERVAL)


def lost_owner(running: Running, heartbeat_of: Callable[[str], Beat | None]) -> Cost | None:
    """Tell whether a claim has lost its owner, and what that costs it; None where it has not.

    `heartbeat_of` reads what a worker said last, after the claim was read.
    Its owner is dead when its worker did not beat for `DEAD_AFTER`, or has beaten since the claim without naming
    the process. It lives and has abandoned the claim when it no longer has the message: the answer to the claim, or the
    result, could not be written. What runs without a worker has no owner, and only its time ends it.
    """
    worker = running.owner.partition(":")[0]
    return judged(running, heartbeat_of(worker)) if worker else None


def judged(running: Running, heartbeat: Beat | None) -> Cost | None:
    """Tell the same by what the owner's worker said last."""
    pid, _, message = running.owner.partition(":")[2].partition(":")
    if heartbeat is None or heartbeat.age > DEAD_AFTER:
        return "death" if running.age > DEAD_AFTER else None
    if heartbeat.at <= running.claimed_at:
        return None
    if pid not in heartbeat.pids:
        return "death"
    is_abandoned = message and heartbeat.messages is not None and message not in heartbeat.messages
    return "nothing" if is_abandoned else None
