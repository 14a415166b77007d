"""How ended sagas leave the log."""

from typing import Final

from celery import Celery

from amends.backend.settings import settings_of
from amends.log.saga_log import log_of

INTERVAL: Final = 60.0
"""Seconds between two looks of a worker for sagas to be removed, where one look removes them all."""
BATCH: Final = 200
"""Sagas of a shard and of an end that one look removes."""


def remove_ended(app: Celery) -> int:
    """Remove what ended more than `amends_retention` seconds ago, and answer how many sagas that were.

    Raises `LogUnavailable`.
    """
    log, kept_for = log_of(app).maintenance, settings_of(app).retention
    return log.remove_sagas(log.read_ended(ago=kept_for, limit=BATCH), kept_for=kept_for)


def rest_after(app: Celery, removed: int) -> float:
    """Tell how long to rest after a look: until the next sweep only, where every shard has more most probably."""
    return 0.0 if removed >= BATCH * settings_of(app).shards else INTERVAL
