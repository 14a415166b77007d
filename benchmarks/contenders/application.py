"""The Celery app of a contender: the same settings for all of them."""

import os

from celery import Celery

from benchmarks.profiling import profile_pool

BROKER, RESULTS, LOG = range(3)
"""The databases of the Redis that all of them share."""


def redis_url(database: int) -> str:
    """Name a database of the Redis that ``BENCH_REDIS`` names."""
    return f"{os.environ['BENCH_REDIS']}/{database}"


def application(name: str, *, results: bool = False) -> Celery:
    """Make an app with late acknowledgements and JSON, Celery's default for the rest."""
    app = Celery(name, broker=redis_url(BROKER))
    app.conf.update(
        task_acks_late=True,
        result_backend=redis_url(RESULTS) if results else None,
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
    )
    app.set_default()
    profile_pool(name)
    return app
