"""What an activity may ask about the call it is in."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class _Effect:
    activity: str
    idempotency_key: str


class Undoes(_Effect):
    """The effect that a compensation takes back: by which activity, under which key."""


class Verifies(_Effect):
    """The effect that a verification asks for: of which activity, under which key."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """The call that an activity is in.

    `saga_id` and `step` are None when the activity was called without a saga. `attempt` counts
    from 1. `deadline` is a time as of `time.time()`, in seconds. `idempotency_key` is the same on
    every attempt. `undoes` is set in a compensation alone, `verifies` in a verification.
    """

    saga_id: str | None
    step: str | None
    attempt: int
    deadline: float
    idempotency_key: str
    undone: Undoes | None = None
    verified: Verifies | None = None

    @property
    def undoes(self) -> Undoes:
        """The effect that this compensation takes back. Raises `RuntimeError` outside of one."""
        if self.undone is None:
            raise RuntimeError(
                "amends.context().undoes is for the inside of a compensation, in a saga"
            )
        return self.undone

    @property
    def verifies(self) -> Verifies:
        """The effect that this verification asks for. Raises `RuntimeError` outside of one."""
        if self.verified is None:
            raise RuntimeError(
                "amends.context().verifies is for the inside of a step's verify=, in a saga"
            )
        return self.verified


CURRENT: Final[ContextVar[Context]] = ContextVar("amends_context")
"""The context of the activity that is running; who calls it sets and resets this."""


def context() -> Context:
    """Return the context of the activity that is running here.

    Raises `RuntimeError` outside of one.
    """
    try:
        return CURRENT.get()
    except LookupError:
        raise RuntimeError(
            "amends.context() is for the inside of an activity; none runs here"
        ) from None
