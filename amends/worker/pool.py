"""The pool of a worker: its processes, and what it cannot run."""

import logging
from typing import Any, Final

from celery import Celery

from amends.activities.greenlets import greenlets_of_process
from amends.log.owner import has_died

_logger: Final = logging.getLogger(__name__)


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


def warn_of_coroutines(app: Celery) -> None:
    """Warn in a worker of greenlets of the async activities that its app knows: it leaves them to workers of other pools."""
    activities = (getattr(task, "activity", None) for task in app.tasks.values())
    names = sorted(each.name for each in activities if each is not None and each.is_async)
    if names and (greenlets := greenlets_of_process()):
        _logger.warning(
            "the greenlets of this pool (%s) cannot run async activities, left to workers with --pool prefork, threads or solo: %s",
            greenlets,
            ", ".join(names),
        )
