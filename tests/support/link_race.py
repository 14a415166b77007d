"""Using one link in several processes at once."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from celery import Celery

from tests.support.link_client import LinkClient

_MOST_WAIT = 60.0


def use_at_once(app: Celery, url: str, *, processes: int) -> list[tuple[int, Any]]:
    """Post to a link in so many processes, which begin together. Returns the status and the JSON that each got."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    conf = {
        name: app.conf[name]
        for name in ("broker_url", "amends_backend", "amends_http_key", "task_default_queue")
    }
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=_begin, initargs=(barrier, conf)
    ) as pool:
        return list(pool.map(_use, [url] * processes))


_client: LinkClient
_barrier: Any


def _begin(barrier: Any, conf: dict[str, Any]) -> None:
    global _barrier, _client
    app = Celery("engine_saga")
    app.conf.update(conf)
    _barrier, _client = barrier, LinkClient(app)


def _use(url: str) -> tuple[int, Any]:
    _barrier.wait(_MOST_WAIT)  # so that each process has one
    answer = _client.post(url, json=True)
    return answer.status_code, answer.json()
