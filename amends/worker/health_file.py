"""The health file of a worker: to look at it costs a probe nothing, and nobody else anything."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from celery import bootsteps
from celery.concurrency.solo import TaskPool as SoloPool
from celery.utils.nodenames import node_format

from amends.errors import ConfigurationError

INTERVAL: Final = 2.0
"""Seconds between two signs of life of a worker's main loop."""
STANDS_AFTER: Final = 120.0
"""Seconds without one after which it stands. Kombu itself notices a dead connection within 51 s."""
READY: Final = "ready\n"
AWAY: Final = "the saga log accepts no heartbeat: the worker's log says why\n"

_logger = logging.getLogger(__name__)


class Health:
    """Whether a worker lives, told by when its file was touched, and whether it is ready, told by what it says.

    It lives while its threads run and its main loop goes round. A saga log that is away makes it
    no less alive, for a worker that is started anew does not reach it either; it is not ready then.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._said = ""
        self._looped_at: float | None = None
        self._stands = False
        self._is_over = False

    def begin(self) -> None:
        """Make the file. Raises `ConfigurationError` where that cannot be done."""
        try:
            self._write(AWAY)
        except OSError as error:
            raise ConfigurationError(
                f"amends_health_file: {self.path} cannot be written ({error}); make its folder, or name another file"
            ) from error

    def tell(self, *, is_ready: bool) -> None:
        """Say that the worker lives, unless its main loop stands, and whether it reaches the log."""
        with self._lock:
            if self._is_over or self._loop_stands():
                return
            try:
                self._write(READY if is_ready else AWAY)
            except OSError as error:
                _logger.warning("the health file cannot be written: %s", error)

    def end(self) -> None:
        """Remove the file."""
        with self._lock:
            self._is_over = True
            self.path.unlink(missing_ok=True)

    def note_loop(self) -> None:
        """Note that the main loop goes round."""
        self._looped_at = self._clock()

    def expect_no_loop(self) -> None:
        """Note that there is none: the broker is away, or the worker ends."""
        self._looped_at = None

    def _loop_stands(self) -> bool:
        looped_at = self._looped_at
        stood = self._stands
        self._stands = looped_at is not None and self._clock() - looped_at >= STANDS_AFTER
        if self._stands and not stood:
            _logger.error("the worker's main loop stands: %s is left as it is", self.path)
        return self._stands

    def _write(self, what: str) -> None:
        if what == self._said and self.path.exists():
            os.utime(self.path)
            return
        new = self.path.with_name(f"{self.path.name}.new")
        new.write_text(what, encoding="ascii")
        new.replace(self.path)  # nobody reads half of it
        self._said = what


def health_of(worker: Any, path: str | None) -> Health | None:
    """Begin the health file that the settings name, if they do; Celery's ``%h``, ``%n``, ``%p`` are filled in."""
    if not path:
        return None
    health = Health(Path(node_format(path, worker.hostname)))
    health.begin()
    return health


class Pulse(bootsteps.StartStopStep):
    """The consumer's bootstep that sees the main loop go round, anew with each connection.

    Without Celery's event loop (gevent) there is nothing to see, and a solo pool runs its tasks in it.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._entry: Any = None

    def start(self, consumer: Any) -> None:
        """Look now, and every now and then."""
        health: Health | None = getattr(consumer.controller, "amends_health", None)
        if health is None or consumer.hub is None or isinstance(consumer.pool, SoloPool):
            return
        health.note_loop()
        self._entry = consumer.timer.call_repeatedly(INTERVAL, health.note_loop)

    def stop(self, consumer: Any) -> None:
        """Look no more: it may take long until there is a connection again."""
        if self._entry is not None:
            self._entry.cancel()
            self._entry = None
            consumer.controller.amends_health.expect_no_loop()
