"""What each process of a worker's pool did, by cProfile: with ``BENCH_PROFILE``, a directory for its files."""

import cProfile
import os
from pathlib import Path
from typing import Any, Final

from celery.signals import worker_process_init, worker_process_shutdown

PROFILE: Final = "BENCH_PROFILE"


def profile_pool(name: str) -> None:
    """Profile this worker's pool from the start of each process to its end, where that is asked for."""
    directory = os.environ.get(PROFILE)
    if not directory:
        return
    profiler = cProfile.Profile()

    def begin(**_: Any) -> None:
        profiler.enable()

    def end(**_: Any) -> None:
        profiler.disable()
        Path(directory).mkdir(parents=True, exist_ok=True)
        profiler.dump_stats(Path(directory) / f"{name}-{os.getpid()}.pstats")

    worker_process_init.connect(begin, weak=False)
    worker_process_shutdown.connect(end, weak=False)
