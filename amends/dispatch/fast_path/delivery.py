"""Messages that the saga log puts into their queue itself, where its Redis is the broker's too.

There the script that makes a record due delivers its message: never one without the other, and a round trip less.
"""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from collections.abc import Sequence
from typing import Any

from celery import Celery

from amends.backend.client import client_of
from amends.backend.settings import celery_setting, settings_of
from amends.dispatch.publisher import chain_template, is_prepared
from amends.log.delivery import Delivery
from amends.log.remaining import Publish


def deliveries(app: Celery, saga_ids: Sequence[str], what: Publish) -> list[Delivery] | None:
    """Prepare the message of a chain of these records for each saga; None where it has to be published.

    That is where the broker is not the log's Redis, where a message is more than one text in a list
    (see `message`), and where this process has not published yet.
    """
    if celery_setting(app, "task_always_eager") or not is_prepared(app, what):
        return None

    def prepare(channel: Any, key: str, texts: Sequence[str]) -> list[Delivery] | None:
        databases = _databases(app, channel)
        return databases and [Delivery(text=text, destination=(key, *databases)) for text in texts]

    return chain_template(app, what).written(saga_ids, what.number, prepare)


def _databases(app: Celery, channel: Any) -> tuple[int, int] | None:
    """Return the database of the broker and that of the log; None where they are not in the same Redis."""
    if channel.global_keyprefix:
        return None
    broker = channel.pool.connection_kwargs
    log = client_of(settings_of(app).backend).connection_pool.connection_kwargs
    same = ("host", "port", "path", "username")
    if any(broker.get(name) != log.get(name) for name in same):
        return None
    return broker.get("db") or 0, log.get("db") or 0
