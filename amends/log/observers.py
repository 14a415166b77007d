"""Observers of transitions: telemetry subscribes, and the log imports none of it.

All of it is a hint. Where a process dies, or an answer of the log is lost, between a transition and
this, nothing tells of it; the history in the log has every event.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from celery import Celery

from amends.log.history import Transition

Observer = Callable[[Celery, Transition], None]

_observers: Final[list[Observer]] = []
_logger = logging.getLogger(__name__)


def subscribe(*observers: Observer) -> None:
    """Call these observers for every transition, in this order."""
    _observers.extend(each for each in observers if each not in _observers)


def tell_observers(app: Celery, saga_id: str, head: Sequence[Any], events: Sequence[str]) -> None:
    """Call each observer for a transition. A failing observer is logged and affects nothing else."""
    transition = Transition(saga_id, head, events)
    for observer in _observers:
        try:
            observer(app, transition)
        except Exception:
            _logger.exception("saga %s: %s failed", saga_id, observer.__name__)
