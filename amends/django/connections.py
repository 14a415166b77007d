"""Closes connections of Django's that went stale, where no request would.

Celery's fixup for Django closes all of them around each task, unless CELERY_DB_REUSE_MAX keeps them; then a connection
that the server has ended fails one attempt after the other. It knows nothing of the engine's own threads.
"""

from typing import Any

from asgiref.sync import sync_to_async
from celery.signals import task_postrun, task_prerun
from django.db import close_old_connections, connections

from amends.activities.coroutines import around_each_coroutine
from amends.backend.own_threads import after_each_round
from amends.dispatch.messages import ADVANCE


def keep_connections_fresh() -> None:
    """Close what went stale around each attempt, and everything after each round of the engine's own threads."""
    task_prerun.connect(_close_stale, dispatch_uid=f"{__name__}.before")
    task_postrun.connect(_close_stale, dispatch_uid=f"{__name__}.after")
    after_each_round(connections.close_all)
    # A coroutine asks databases in a thread of asgiref's.
    around_each_coroutine(sync_to_async(close_old_connections))


def _close_stale(sender: Any = None, **_: Any) -> None:
    """Close what is too old or broken, by the rules of CONN_MAX_AGE and CONN_HEALTH_CHECKS; never inside of ``atomic()``."""
    is_ours = hasattr(sender, "activity") or sender.name == ADVANCE  # whose sagas have signals, too
    if is_ours and not sender.request.is_eager:
        close_old_connections()
