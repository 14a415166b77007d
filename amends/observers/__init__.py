"""What the process that moved a saga tells of it: log lines, signals, events for monitors.

All of it is a hint. Where a process dies, or an answer of the log is lost, between a transition and
this, nothing tells of it; the history in the log has every event.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from celery import Celery

from amends.events import Transition
from amends.observers.lines import write_lines
from amends.observers.monitors import draw_row
from amends.observers.signals import send_signals

Observer = Callable[[Celery, Transition], None]

_OBSERVERS: Final[Sequence[Observer]] = (write_lines, send_signals, draw_row)
_logger = logging.getLogger(__name__)


def tell_observers(app: Celery, saga_id: str, head: Sequence[Any], events: Sequence[str]) -> None:
    """Tell each observer of a transition; one that fails is logged, and fails nothing else."""
    transition = Transition(saga_id, head, events)
    for observer in _OBSERVERS:
        try:
            observer(app, transition)
        except Exception:
            _logger.exception("saga %s: %s failed", saga_id, observer.__name__)
