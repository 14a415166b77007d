"""Publishing what remains of a saga as a chain."""

from collections.abc import Sequence

from celery import Celery

from amends.dispatch import fast_path
from amends.dispatch.canvas import publish_canvas
from amends.dispatch.messages import publishing
from amends.log.answers import Publish


def publish_chains(app: Celery, saga_ids: Sequence[str], what: Publish) -> None:
    """Publish a chain of these records for each saga, with `advance` as its error callback.

    Raises kombu's ``OperationalError`` with the broker away.
    """
    with publishing():
        if not fast_path.publish(app, saga_ids, what):
            for saga_id in saga_ids:
                publish_canvas(app, saga_id, what)
