"""The app of a real worker that is struck once, at the boundary that STRIKE_AT names, as STRIKE says.

The service is the test's, reached over LEDGER; a plot's acts are played by the first attempts, which
the test counts.
"""

import os
import signal
from contextlib import ExitStack
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any

import amends
from amends.log import liveness
from amends.worker import heartbeat

# Before a worker starts: it would judge others after 15 s alone.
heartbeat.INTERVAL, heartbeat.JUDGES_AFTER = 0.2, 1.0
liveness.DEAD_AFTER = heartbeat.DEAD_AFTER = 2.0

from tests.explorer.acts import succeed
from tests.explorer.apps import explored_app
from tests.explorer.boundaries import Boundary, watched
from tests.explorer.explored_saga import SAGA_ID, enter
from tests.explorer.plots import PLOTS
from tests.explorer.receiver import Receiver


class Outside(BaseManager):
    """What is in the test's process: the ledger, and the count of attempts."""


Outside.register("ledger")
Outside.register("attempts")


class Stage:
    """A real worker's stage."""

    def __init__(self, outside: Any, plot: str) -> None:
        self.receiver = Receiver(outside.ledger())
        self._attempts = outside.attempts()
        self._acts = {each.name: each for each in PLOTS}[plot].acts

    def play(self, path: str, *_: Any) -> None:
        """Do what the plot says of this attempt."""
        acts, number = self._acts.get(path, ()), self._attempts.next(path)
        act = acts[number] if number < len(acts) else succeed
        current = amends.context()
        if current.undone:
            act(self, lambda: self.receiver.undo(current.undoes.idempotency_key))
        else:
            act(self, lambda: self.receiver.make(current.idempotency_key))

    def find(self, _: str, key: str) -> bool:
        """Answer a verification."""
        return self.receiver.find(key)


class Signals:
    """Sends a signal to the first process that crosses at the wanted moment."""

    def __init__(self, *, at: str, strike: str, mark: Path) -> None:
        self._at, self._strike, self._mark = at, strike, mark

    def cross(self, boundary: Boundary, moment: str) -> None:  # noqa: ARG002
        """Strike here, if this is the moment."""
        if moment != self._at:
            return
        try:
            self._mark.touch(exist_ok=False)
        except FileExistsError:
            return
        if self._strike == "kill the process":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._strike == "kill the worker":
            os.killpg(0, signal.SIGKILL)
        elif self._strike == "freeze the worker":
            os.killpg(0, signal.SIGSTOP)
        else:
            amends.get(SAGA_ID).cancel()

    def note(self, boundary: Boundary, arguments: tuple[Any, ...], answer: Any) -> None:
        """Answers are of no interest here."""


app = explored_app(
    broker=os.environ["CELERY_BROKER_URL"],
    backend=os.environ["AMENDS_BACKEND"],
    amends_sweep_interval=0.2,
    worker_prefetch_multiplier=1,
)
_host, _, _port = os.environ["LEDGER"].rpartition(":")
_outside = Outside((_host, int(_port)), authkey=b"explored")
_outside.connect()
enter(Stage(_outside, os.environ["PLOT"]))
_signals = Signals(
    at=os.environ["STRIKE_AT"],
    strike=os.environ["STRIKE"],
    mark=Path(os.environ["STRIKE_MARK"]),
)
_until_exit = ExitStack()
_until_exit.enter_context(watched(_signals))
