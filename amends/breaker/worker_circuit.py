"""The circuit that a breaker has for one worker, as another process sees it."""

from collections.abc import Callable

from celery.app import app_or_default

from amends.backend.settings import Settings, settings_of
from amends.breaker.control import Control
from amends.breaker.gate import Gate
from amends.breaker.options import Options


class WorkerCircuit(Control):
    """The circuit of one worker: its state, and the acts of an operator on it."""

    def __init__(self, name: str, options: Options, open_gate: Callable[[Settings], Gate]) -> None:
        self.name = name
        self.options = options
        self._open_gate = open_gate

    def _gate(self) -> Gate:
        return self._open_gate(settings_of(app_or_default()))
