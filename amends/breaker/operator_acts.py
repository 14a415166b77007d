"""Acts of operators on circuits: whoever keeps a list of them subscribes, and breakers know none of it."""

import logging
from collections.abc import Callable, Mapping
from typing import Final

from celery import Celery
from celery.app import app_or_default

ActObserver = Callable[[Celery, str, str, Mapping[str, str]], object]
"""Called with the app, the act (``open``, ``close``, ``disable``, ``clear``), the circuit's name, and ``by`` and ``why`` as given."""

_observers: Final[list[ActObserver]] = []
_logger = logging.getLogger(__name__)


def subscribe(observer: ActObserver) -> None:
    """Tell this one of each act from now on, right after it is done."""
    _observers.append(observer)


def tell_act(act: str, circuit: str, *, by: str | None, why: str | None) -> None:
    """Tell of an act that is done. A failing observer is logged: the act stands, and the circuit's history has it."""
    app: Celery = app_or_default()
    given = {name: text for name, text in {"by": by, "why": why}.items() if text}
    for observer in _observers:
        try:
            observer(app, act, circuit, given)
        except Exception:
            _logger.exception("circuit breaker %r: %s is not listed", circuit, act)
