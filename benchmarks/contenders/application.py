"""The Celery app of a contender: equal settings for all, and a profile of the pool's processes on demand."""

import cProfile
import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown


def application(name: str, *, results: bool = False) -> Celery:
    """Make the current app, with late acknowledgements and JSON; Celery's defaults for the rest."""
    app = Celery(name, broker=os.environ.get("BENCH_BROKER", "memory://"))
    app.conf.update(
        task_acks_late=True,
        result_backend=os.environ["BENCH_RESULTS"] if results else None,
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
    )
    app.set_default()
    if directory := os.environ.get("BENCH_PROFILE"):
        _profile_pool(Path(directory), name)
    return app


def _profile_pool(directory: Path, name: str) -> None:
    """Write what cProfile says of each process of the worker's pool, from its start to its end."""
    profiler = cProfile.Profile()

    def begin(**_: Any) -> None:
        profiler.enable()

    def end(**_: Any) -> None:
        profiler.disable()
        directory.mkdir(parents=True, exist_ok=True)
        profiler.dump_stats(directory / f"{name}-{os.getpid()}.pstats")

    worker_process_init.connect(begin, weak=False)
    worker_process_shutdown.connect(end, weak=False)
