"""The processes of a worker's pool."""

from typing import Any

from amends.log.owner import has_died


def live_processes(pool: Any) -> list[int]:
    """Return the ids of a pool's processes that live; none where a cold shutdown has ended it before the worker.

    Celery goes on to list one that died, and that it has reaped, for some seconds, until it puts another into its place.
    One that is about to be forked is listed too, and has no id.
    """
    try:
        processes = pool.info.get("processes", ())
    except AttributeError:  # prefork asks what is gone
        return []
    return [pid for pid in processes if pid is not None and not has_died(pid)]
