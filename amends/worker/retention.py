"""How ended sagas leave the log, and paused ones that are so no more leave their sets."""

import time
from typing import Final

from celery import Celery

from amends.backend.settings import settings_of
from amends.log.saga_log import log_of

INTERVAL: Final = 60.0
"""Seconds between two looks of a worker for sagas to be removed, where one look removes them all."""
ACTS_INTERVAL: Final = 3600.0
"""Seconds between two removals of old acts by a worker; a list without new acts keeps old ones until then."""
BATCH: Final = 200
"""Sagas of a shard and of an end that one look removes."""


class Retention:
    """The looks of a worker for sagas to be removed. Each goes on behind children that are kept for their parents."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._kept = 0  # of a shard and of an end, at most
        self._acts_at = 0.0

    def look(self) -> float:
        """Look once. Returns seconds to rest: none, until the next sweep only, where a shard has more most probably.

        Raises `LogUnavailable`.
        """
        log_of(self._app).maintenance.keep_paused()
        if time.monotonic() >= self._acts_at:
            self._acts_at = time.monotonic() + ACTS_INTERVAL
            log_of(self._app).acts.remove_old()
        found, removed = _remove(self._app, beyond=self._kept)
        self._kept = 0 if not found else self._kept + (BATCH if removed < found else 0)
        has_more = self._kept or removed >= BATCH * settings_of(self._app).shards
        return 0.0 if has_more else INTERVAL


def remove_ended(app: Celery) -> int:
    """Remove what ended more than `amends_retention` seconds ago, and answer how many sagas that were.

    Raises `LogUnavailable`.
    """
    return _remove(app)[1]


def _remove(app: Celery, *, beyond: int = 0) -> tuple[int, int]:
    """Return how many sagas were looked at, beyond so many of each shard and end, and how many were removed."""
    log, kept_for = log_of(app).maintenance, settings_of(app).retention
    found = log.read_ended(ago=kept_for, limit=BATCH, beyond=beyond)
    return len(found), log.remove_sagas(found, kept_for=kept_for)
