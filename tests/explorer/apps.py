"""The Celery app that all processes of an exploration share, simulated or real."""

from typing import Any

from celery import Celery

QUEUES = ("work", "undo")


def explored_app(*, broker: str, backend: str, **settings: Any) -> Celery:
    """Make the app and let it be the one of this process."""
    app = Celery("explored", broker=broker)
    app.conf.update(
        amends_backend=backend,
        amends_shards=2,
        amends_compensation_queue="undo",
        task_default_queue="work",
        task_queues={name: {"exchange": name, "routing_key": name} for name in QUEUES},
        **settings,
    )
    app.set_current()
    app.set_default()
    app.finalize()
    return app
