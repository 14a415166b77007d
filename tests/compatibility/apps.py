"""The app of the workers and starters of both releases, for ``celery -A``: BROKER, LOG and RECEIVER are its URLs.

RELEASE is the folder that this process has `amends` from; one that has another is not what the run is about.
"""

import os
from pathlib import Path
from typing import Any, Final

from celery import Celery

import amends
from amends import Saga
from tests.compatibility import sagas

KNOWS_NEW_SHAPES: Final = hasattr(amends, "Parallel")


def make_app(broker: str, log: str) -> Celery:
    """Make the app, and let it be current."""
    app = Celery("compatibility", broker=broker)
    app.conf.update(
        amends_backend=log,
        amends_compensation_queue="undo",
        task_default_queue="work",
        task_queues={name: {"exchange": name, "routing_key": name} for name in ("work", "undo")},
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
    )
    app.set_current()
    app.set_default()
    return app


def all_sagas() -> dict[str, Saga[Any, Any]]:
    """Return the sagas that this release knows, by name."""
    known: dict[str, Saga[Any, Any]] = dict(sagas.SAGAS)
    if KNOWS_NEW_SHAPES:
        from tests.compatibility import new_shapes  # noqa: PLC0415 - the release before has no such thing

        known |= new_shapes.SAGAS
    return known


if "RELEASE" in os.environ:
    found = Path(amends.__file__).parents[1]
    if found != Path(os.environ["RELEASE"]):
        raise RuntimeError(f"amends is that of {found}")
    app = make_app(os.environ["BROKER"], os.environ["LOG"])
    all_sagas()
