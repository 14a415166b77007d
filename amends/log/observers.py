"""Who is told of each transition: telemetry subscribes, and the log knows nobody.

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
    """Tell these of every transition from now on, in this order."""
    _observers.extend(each for each in observers if each not in _observers)


def tell_observers(app: Celery, saga_id: str, head: Sequence[Any], events: Sequence[str]) -> None:
    """Tell each observer of a transition; one that fails is logged, and fails nothing else."""
    transition = Transition(saga_id, head, events)
    for observer in _observers:
        try:
            observer(app, transition)
        except Exception:
            _logger.exception("saga %s: %s failed", saga_id, observer.__name__)
