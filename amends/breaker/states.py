"""The states of a circuit breaker, the moves between them, and what a call says about its service."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class CircuitState(StrEnum):
    """Where a circuit breaker is."""

    CLOSED = "closed"
    """Every call goes through, and failures in a row are counted."""
    OPEN = "open"
    """No call goes through, until its time has passed."""
    HALF_OPEN = "half_open"
    """A few calls go through, to see whether the service is back."""
    FORCED_OPEN = "forced_open"
    """A person lets no call through."""
    DISABLED = "disabled"
    """A person lets every call through, and nothing is recorded."""


CIRCUIT_MOVES: Final[Mapping[CircuitState, frozenset[CircuitState]]] = {
    CircuitState.CLOSED: frozenset({CircuitState.OPEN}),
    CircuitState.OPEN: frozenset({CircuitState.HALF_OPEN}),
    CircuitState.HALF_OPEN: frozenset({CircuitState.CLOSED, CircuitState.OPEN}),
}
"""The moves that calls make. What a person does leads from any state to any other."""


class Outcome(StrEnum):
    """What a call says about the service."""

    SUCCESS = "success"
    """It lives."""
    FAILURE = "failure"
    """It does not do what it should."""
    NEUTRAL = "neutral"
    """Nothing: the caller's own mistake, a refused request, a call that was never made."""
