"""The observers of a transition, in the process that made it: log lines, signals, events for monitors."""

from logging import INFO

from amends.log.observers import Transition, subscribe
from amends.log.owner import WorkerProcess
from amends.telemetry.flower import draw_row
from amends.telemetry.flower_rows import PAUSES
from amends.telemetry.log_lines import LEVELS, logger, write_lines
from amends.telemetry.signals import SIGNALS, TOLD, send_signals


def _writes_lines(transition: Transition) -> bool:
    return logger.isEnabledFor(INFO) or not LEVELS.keys().isdisjoint(transition.names)


def _sends_signals(transition: Transition) -> bool:
    is_told = not TOLD.isdisjoint(transition.names)
    return is_told and any(signal.receivers for signal in SIGNALS)


def _changes_row(transition: Transition) -> bool:
    worker = WorkerProcess.current
    if worker.node and not worker.sends_events.value:
        return False
    return transition.was != transition.status or not PAUSES.isdisjoint(transition.names)


subscribe(write_lines, where=_writes_lines)
subscribe(send_signals, where=_sends_signals)
subscribe(draw_row, where=_changes_row)
