"""The loop of a wait: until the end of a saga, or until a step of it is behind the saga."""

import time
from collections.abc import Callable
from math import inf
from typing import Final, TypeVar

from amends.definition.numbers import is_number
from amends.definition.states import SagaStatus
from amends.errors import LogUnavailable, SagaStuck, did_you_mean
from amends.log.saga_log import SagaLog
from amends.saga.any_step import AnyStep

Answer = TypeVar("Answer")

_AGAIN: Final = 0.5
"""Seconds until the log is asked again that was away."""


def await_saga(
    log: SagaLog, saga_id: str, *, until: str | AnyStep | None, timeout: float | None
) -> None:
    """Return once a step of a saga is done, skipped or passed over, or the saga has ended. Raises what `Handle.wait` does."""
    if timeout is not None and not is_number(timeout):
        raise ValueError(f"timeout={timeout!r} is not a time in seconds")
    deadline = inf if timeout is None else time.monotonic() + timeout
    step = ""
    if until is not None:
        step = _outlasting(lambda: _name_of(log, saga_id, until), deadline)
    with log.waits.begin(saga_id, step) as wait:
        while not (look := _outlasting(wait.look, deadline)).is_enough:
            if look.status is SagaStatus.STUCK:
                raise SagaStuck(saga_id, log.read_saga(saga_id).reason or "")
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"saga {saga_id!r} is {look.status} after {timeout} s")
            wait.pause(left)


def _name_of(log: SagaLog, saga_id: str, until: str | AnyStep) -> str:
    """Return the name of a step. Raises ``ValueError`` where the saga has none of that name."""
    itinerary = log.read_saga(saga_id).itinerary
    known = [step.name for step in itinerary.steps]
    name = until.name if isinstance(until, AnyStep) else until
    if name in known:
        return name
    hint = did_you_mean(name, known) if isinstance(name, str) else ""
    raise ValueError(
        f"until={name!r} is no step of saga {itinerary.saga!r}{hint}; its steps are {', '.join(known)}"
    )


def _outlasting(ask: Callable[[], Answer], deadline: float) -> Answer:
    """Return an answer of the log, over an outage that ends in time."""
    while True:
        try:
            return ask()
        except LogUnavailable:
            if deadline == inf or time.monotonic() > deadline:
                raise
        time.sleep(_AGAIN)
