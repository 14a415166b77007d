"""The answers of a circuit, in Redis or in this process."""

import secrets
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from amends.breaker.states import CircuitState

MICROSECONDS: Final = 1_000_000
"""In a second. Circuits count in them, as Redis does; everything above them in seconds."""


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """A call may be made. `epoch` is what its result counts for, '' for nothing; `token` is a probe's."""

    epoch: str = ""
    token: str = ""


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """No call may be made. `retry_after` is in seconds, None where nobody knows."""

    state: str
    retry_after: float | None


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What became of a result. `open_for` is how long a circuit that it opened stays so, in seconds."""

    said: Literal["counted", "opened", "closed", "released", "late", "disabled"]
    open_for: float = 0.0

    @property
    def moved_to(self) -> CircuitState | None:
        """The state that the result brought the circuit to, if to another one."""
        return {"opened": CircuitState.OPEN, "closed": CircuitState.CLOSED}.get(self.said)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a call failed, and how long its service asked to be left alone, in seconds."""

    why: str
    retry_after: float | None = None


def new_token() -> str:
    """Draw a token for a probe that has none of its own."""
    return secrets.token_hex(8)


class Circuit(Protocol):
    """What a circuit does, wherever it is kept."""

    def acquire_permit(self, token: str | None, *, lease: float) -> Admitted | Rejected:
        """Ask for a permit; a probe without a token gets one."""

    def record_success(self, admitted: Admitted) -> Recorded:
        """Record that a permitted call succeeded."""

    def record_failure(self, admitted: Admitted, failure: Failure) -> Recorded:
        """Record that a permitted call failed."""

    def release_permit(self, admitted: Admitted) -> Recorded:
        """Give a permit back whose call said nothing about the service."""
