"""The observers of a transition, in the process that made it: a line in the worker's log for each event, signals, events for monitors."""

import logging
from logging import INFO
from typing import Any, Final

from celery import Celery
from celery.utils.log import get_task_logger

from amends.log.history import Event, printable
from amends.log.observers import Transition, subscribe
from amends.log.owner import WorkerProcess
from amends.telemetry.flower import draw_row
from amends.telemetry.flower_rows import WITHIN_STATUS
from amends.telemetry.signals import SIGNALS, TOLD, send_signals

LEVELS: Final = {
    "saga.stuck": logging.ERROR,
    "step.stuck": logging.ERROR,
    "saga.compensating": logging.WARNING,
    "step.failed": logging.WARNING,
    "step.late": logging.WARNING,
    "step.retrying": logging.WARNING,
    "step.switching": logging.WARNING,
    "step.unregistered": logging.WARNING,
}
"""The level of an event's line; INFO for others and for a refused step, and WARNING for the end of an attempt that took longer than its limit."""

_OF_PROCESS: Final = frozenset({"worker", "pid"})  # which its log says of itself

logger = get_task_logger("amends.sagas")


def write_lines(_: Celery, transition: Transition) -> None:
    """Write a line an event, with ``saga``, ``saga_id``, ``event``, ``step`` and ``attempt`` as fields.

    Celery's formatter (``celery/app/log.py``) begins a line with the task at hand; outside of one, as in a sweep, with
    the fields ``task_name`` and ``task_id``, or else with question marks. Those of the saga are its row in Flower.
    """
    for event in transition.events:
        level = _level(event)
        if not logger.isEnabledFor(level):
            continue
        fields = {
            "saga": transition.saga,
            "saga_id": transition.saga_id,
            "event": event.name,
            "step": event.record,
            "attempt": event.details.get("attempt"),
            "task_name": f"saga.{transition.saga}",
            "task_id": transition.saga_id,
        }
        about = "".join(f" {name}={_value(value)}" for name, value in _members(event))
        logger.log(level, "saga %s: %s%s", transition.saga_id, event.name, about, extra=fields)


def _level(event: Event) -> int:
    error = event.details.get("error")
    if event.name == "step.failed" and isinstance(error, dict) and "refused" in error:
        return INFO  # an answer
    return LEVELS.get(event.name, logging.WARNING if "limit" in event.details else INFO)


def _members(event: Event) -> list[tuple[str, Any]]:
    told = [(name, value) for name, value in event.details.items() if name not in _OF_PROCESS]
    return [*([("step", event.record)] if event.record else []), *told]


def _value(value: Any) -> str:
    text = f"{value['type']}: {value['message']}" if isinstance(value, dict) else str(value)
    return printable(text)


def _writes_lines(transition: Transition) -> bool:
    return logger.isEnabledFor(INFO) or not LEVELS.keys().isdisjoint(transition.names)


def _sends_signals(transition: Transition) -> bool:
    is_told = not TOLD.isdisjoint(transition.names)
    return is_told and any(signal.receivers for signal in SIGNALS)


def _changes_row(transition: Transition) -> bool:
    worker = WorkerProcess.current
    if worker.node and not worker.sends_events.value:
        return False
    return transition.was != transition.status or not WITHIN_STATUS.isdisjoint(transition.names)


subscribe(write_lines, where=_writes_lines)
subscribe(send_signals, where=_sends_signals)
subscribe(draw_row, where=_changes_row)
