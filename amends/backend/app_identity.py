"""What tells an app from others that share its saga log."""

import hashlib
from functools import lru_cache

from celery import Celery
from kombu.utils.url import maybe_sanitize_url

from amends.backend.settings import celery_setting


def identity_of(app: Celery) -> str:
    """Return the digest of an app's name, broker and default queue, without the broker's password.

    A message of one app, published by another of the same identity, goes to the same queue.
    """
    broker = [str(celery_setting(app, name)) for name in ("broker_url", "broker_write_url")]
    return _digest(app, *broker, celery_setting(app, "task_default_queue"))


@lru_cache(maxsize=100)
def _digest(app: Celery, _broker: str, _write_broker: str, queue: str) -> str:
    to = app.connection_for_write()
    host = maybe_sanitize_url(to.hostname or "")  # a URL of several hosts is one with its password
    words = (app.main, to.transport_cls, host, to.port, to.virtual_host, to.userid or "", queue)
    text = "\n".join(map(str, words))
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:12]
