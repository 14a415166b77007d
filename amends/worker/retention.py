"""How ended sagas leave the log."""

from typing import Final

from celery import Celery

from amends.backend.settings import settings_of
from amends.definition.states import ENDED
from amends.log.saga_log import log_of

INTERVAL: Final = 60.0
"""Seconds between two looks of a worker for sagas to be removed, where one look removes them all."""
BATCH: Final = 200
"""Sagas of a shard and of an end that one look removes."""


class Retention:
    """The looks of a worker for sagas to be removed. Each goes on behind children that are kept for their parents."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._kept = 0  # of a shard and of an end, at most

    def look(self) -> float:
        """Look once. Returns seconds to rest: none, until the next sweep only, where a shard has more most probably.

        Raises `LogUnavailable`.
        """
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
    log, settings = log_of(app).maintenance, settings_of(app)
    kept_for, remember = settings.retention, settings.remember
    found = log.read_ended(ago=kept_for, limit=BATCH, beyond=beyond)
    removed = log.remove_sagas(found, kept_for=kept_for, remembers=remember > 0)
    log.forget_ids(after=remember, limit=len(ENDED) * BATCH)  # at least what is remembered anew
    return len(found), removed
