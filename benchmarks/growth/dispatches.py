"""The ways in which a step follows another."""

import inspect
from typing import Final

from amends import Saga

DISPATCHES: Final = (
    ("chain", "inline") if "dispatch" in inspect.signature(Saga.__init__).parameters else ("chain",)
)
