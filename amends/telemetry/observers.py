"""The observers of a transition, in the process that made it: log lines, signals, events for monitors."""

from amends.log.observers import subscribe
from amends.telemetry.flower import draw_row
from amends.telemetry.log_lines import write_lines
from amends.telemetry.signals import send_signals

subscribe(write_lines, send_signals, draw_row)
