"""Celery signals of a saga's start and end, for hooks of an app."""

from typing import Final

from celery import Celery
from celery.utils.dispatch import Signal

from amends.log.observers import Transition

_GIVEN: Final = ("saga_id", "outcome", "reason")

saga_started = Signal(name="saga_started", providing_args=_GIVEN)
"""A saga was written to the log, in the process that started it."""
saga_completed = Signal(name="saga_completed", providing_args=_GIVEN)
"""A saga completed, in the process that finished its last step."""
saga_compensated = Signal(name="saga_compensated", providing_args=_GIVEN)
"""A saga ended with everything undone."""
saga_stuck = Signal(name="saga_stuck", providing_args=_GIVEN)
"""A saga needs a person."""

SIGNALS: Final = (saga_started, saga_completed, saga_compensated, saga_stuck)
TOLD: Final = frozenset({"saga.started", "saga.finished", "saga.stuck"})
"""The events that they tell of."""
_FINISHED: Final = {"completed": saga_completed, "compensated": saga_compensated}


def send_signals(_: Celery, transition: Transition) -> None:
    """Send what these events call for.

    The sender is the saga's name. ``outcome`` is None until it is decided, ``reason`` unless it is stuck.
    """
    for event in transition.events:
        details = event.details
        match event.name:
            case "saga.started":
                signal = saga_started
            case "saga.finished":
                signal = _FINISHED[details["status"]]
            case "saga.stuck":
                signal = saga_stuck
            case _:
                continue
        signal.send(
            sender=transition.saga,
            saga_id=transition.saga_id,
            outcome=details.get("outcome"),
            reason=details.get("reason"),
        )
