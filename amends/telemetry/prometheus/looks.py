"""Looks at what a scrape shows, each in a thread of its own: a source that hangs keeps no scrape waiting."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from celery import Celery

from amends.backend.own_threads import round_of_own_thread
from amends.telemetry.prometheus.families import Families

Read = Callable[[Celery, Families], None]
"""Adds what a source tells now. It raises what the source's client raises, and may take as long as that waits."""


class Source:
    """A server that a scrape looks at: one look at a time, which scrapes of the same moment share.

    A resolver or a server that says nothing has one thread hang, however often Prometheus asks.

    name: of the server, in a warning.
    """

    def __init__(self, app: Celery, name: str, read: Read) -> None:
        self.name = name
        self._app = app
        self._read = read
        self._lock = threading.Lock()
        self._look: Look | None = None

    def look(self) -> "Look":
        """Begin a look, or return the one that is under way."""
        with self._lock:
            if self._look is None or not self._look.is_alive():  # also in a fork of its process
                self._look = Look(self._app, self.name, self._read)
            return self._look


class Look(threading.Thread):
    """One look at a source."""

    def __init__(self, app: Celery, source: str, read: Read) -> None:
        super().__init__(target=self._answer, args=(app, read), name="amends-scrape", daemon=True)
        self._source = source
        self._began = time.monotonic()
        self._found: Future[Families] = Future()
        self.start()

    def result(self, patience: float) -> Families:
        """Return what was found. Raises what the source's client raised.

        patience: seconds from the begin of the look; ``TimeoutError`` is raised once they are over.
        """
        try:
            return self._found.result(max(0.0, self._began + patience - time.monotonic()))
        except TimeoutError:
            if self._found.done():  # the client's own
                raise
            text = f"{self._source} did not answer within {patience:g} s"
            raise TimeoutError(text) from None

    def _answer(self, app: Celery, read: Read) -> None:
        app.set_current()  # circuit breakers ask which app is current, in each thread
        families = Families()
        with round_of_own_thread():
            try:
                read(app, families)
            except Exception as error:  # noqa: BLE001 - it is raised to who asked
                self._found.set_exception(error)
            else:
                self._found.set_result(families)
