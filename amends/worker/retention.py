"""How ended sagas leave the log, and paused ones that are so no more leave their sets."""

import logging
import threading
import time
from functools import partial
from typing import Final

from celery import Celery

from amends.archive.protocol import archive_of
from amends.backend.own_threads import round_of_own_thread
from amends.backend.settings import settings_of
from amends.definition.states import ENDED
from amends.errors import ConfigurationError, LogUnavailable
from amends.log.saga_log import log_of
from amends.worker.archiving import Archiving
from amends.worker.jitter import jittered

INTERVAL: Final = 60.0
"""Seconds between two looks of a worker for sagas to be removed, where one look removes them all."""
ACTS_INTERVAL: Final = 3600.0
"""Seconds between two removals of old acts by a worker; a list without new acts keeps old ones until then."""
BATCH: Final = 200
"""Sagas of a shard and of an end that one look removes."""

_logger: Final = logging.getLogger(__name__)


class Retention:
    """The looks of a worker for sagas to be removed. Each goes on behind children that are kept for their parents.

    Raises `ConfigurationError`.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._kept = 0  # of a shard and of an end, at most
        self._acts_at = 0.0
        archive = archive_of(app)
        self._archiving = Archiving(app, archive) if archive else None

    def look(self) -> float:
        """Look once. Returns seconds to rest: none, until the next sweep only, where a shard has more most probably.

        Raises `LogUnavailable`.
        """
        log_of(self._app).maintenance.keep_paused()
        if time.monotonic() >= self._acts_at:
            self._acts_at = time.monotonic() + ACTS_INTERVAL
            log_of(self._app).acts.remove_old()
        found, handled, removed = self._remove()
        if handled < found:  # the archive does not take them, or another worker hands them to it
            self._kept = 0
            return INTERVAL
        self._kept = 0 if not found else self._kept + (BATCH if removed < found else 0)
        has_more = self._kept or removed >= BATCH * settings_of(self._app).shards
        return 0.0 if has_more else INTERVAL

    def remove(self) -> int:
        """Remove what ended more than `amends_retention` seconds ago, and answer how many sagas that were."""
        return self._remove()[2]

    def _remove(self) -> tuple[int, int, int]:
        """Return how many sagas were found, how many of them were handled, and how many of those were removed."""
        log, settings = log_of(self._app).maintenance, settings_of(self._app)
        remove = partial(
            log.remove_sagas, kept_for=settings.retention, remembers=settings.remember > 0
        )
        found = log.read_ended(ago=settings.retention, limit=BATCH, beyond=self._kept)
        handled = removed = 0
        if self._archiving is None:
            handled, removed = len(found), remove(found)
        else:
            for asked, taken in self._archiving.taken_of(found):
                handled, removed = handled + asked, removed + remove(taken)
        # At least as many as are remembered anew.
        log.forget_ids(after=settings.remember, limit=len(ENDED) * BATCH)
        return len(found), handled, removed


def remove_ended(app: Celery) -> int:
    """Remove what ended more than `amends_retention` seconds ago, and answer how many sagas that were.

    Raises `LogUnavailable`, and `ConfigurationError`.
    """
    return Retention(app).remove()


def start_retention(app: Celery, ends: threading.Event) -> None:
    """Remove ended sagas now and then until the worker ends, in a thread: an archive that hangs keeps no sweep."""
    act = partial(_loop, Retention(app), ends, interval=settings_of(app).sweep_interval)
    threading.Thread(target=act, name="amends-retention", daemon=True).start()


def _loop(looks: Retention, ends: threading.Event, *, interval: float) -> None:
    rest = interval
    while not ends.wait(jittered(rest)):
        rest = INTERVAL
        try:
            with round_of_own_thread():
                rest = looks.look() or interval
        except (LogUnavailable, ConfigurationError) as error:
            _logger.warning("no ended saga is removed: %s", error)
        except Exception:
            _logger.exception("ended sagas are left to the next look")
