"""What an activity may ask about the call it is in."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from amends.activities.wait_links import WaitLinks
from amends.telemetry.log_format import subscribe_fields


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
    links: Callable[[], WaitLinks] | None = field(default=None, repr=False, compare=False)

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

    def wait_url(
        self,
        name: str,
        value: BaseModel | Any = None,
        *,
        by: str | None = None,
        expires: float | None = None,
    ) -> str:
        """Return a link for a mail, by which a person gives the saga a signal that it waits for, or will wait for.

        The link is signed, not secret: whoever has it can read the signal, and give it. It is one signal however often it is
        used, and an attempt that is repeated makes the same signal's link again. `amends.http` answers it.

        name: of the wait.
        value: the signal, an instance of the wait's model; also data of it where this process has the saga's definition, and
            None where such a model can be made without arguments.
        by: who gives it, for the history. Where a wait needs several signals, those of one giver count once.
        expires: seconds until the link says that it has expired. By default the wait's `timeout`, or a week; the saga refuses
            the signal of a wait that is over, whatever the link says.

        Raises `ConfigurationError` without `amends_http_url` and `amends_http_key`, ``ValueError`` for a name that the saga
        does not wait for, a value that is none for it (pydantic's ``ValidationError``) or too long for a link, and
        `RuntimeError` outside of a saga.
        """
        if self.links is None:
            raise RuntimeError(
                "amends.context().wait_url is for the inside of an activity that a saga calls"
            )
        return self.links().url(name, value, by=by, expires=expires)


CURRENT: Final[ContextVar[Context]] = ContextVar("amends_context")
"""The context of the activity that is running; who calls it sets and resets this."""


def _log_fields() -> dict[str, Any]:
    """Tell log lines which call they are of."""
    here = CURRENT.get(None)
    if here is None or here.saga_id is None:
        return {}
    path = here.idempotency_key.removeprefix(f"{here.saga_id}:")
    return {"saga_id": here.saga_id, "step": path, "attempt": here.attempt}


subscribe_fields(_log_fields)


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
