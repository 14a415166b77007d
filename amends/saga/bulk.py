"""An operator's act on many sagas, with a result for each."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal, Self

from celery import Celery
from celery.app import app_or_default
from kombu.exceptions import OperationalError
from pydantic import ValidationError

from amends.dispatch.broker import connected
from amends.dispatch.messages import advance_message, publishing
from amends.errors import ActRefused, ConfigurationError, LogUnavailable, UnknownSaga
from amends.log.acts.act import BulkAct
from amends.log.answers import Advance, Continuation
from amends.log.control import SagaControl, Seen, Signalled, new_act_id
from amends.log.saga_log import log_of
from amends.saga.handle import Handle

ActName = Literal["retry", "skip", "cancel", "pause", "resume", "signal"]


class Verdict(StrEnum):
    """Result of an act on one saga."""

    DONE = "done"
    """The act is in the log."""
    REFUSED = "refused"
    """The act does not apply to the saga's present state, or an output does not validate."""
    UNKNOWN = "unknown"
    """There is no such saga."""
    UNAVAILABLE = "unavailable"
    """The log did not answer: the act may be in it or not. The same `Operation` repeats it."""
    NOT_TRIED = "not_tried"
    """Not tried: the log did not answer for an earlier saga."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operator's act, and the reason. `step` and `output` are for a skip, and for a signal its name and what it says.

    act_id: the same id is the same act, or signal, on each saga, and gets its first answer there; random by default.
    filter: what selected the sagas, for the list of acts, see `BulkAct`.
    """

    act: ActName
    by: str
    why: str
    step: str = ""
    output: Any = None
    act_id: str = field(default_factory=new_act_id)
    filter: Mapping[str, Any] = field(default_factory=dict)

    @property
    def signed(self) -> dict[str, str]:
        """Who does it, why, and under which id."""
        return {"by": self.by, "why": self.why, "act_id": self.act_id}

    @property
    def listed(self) -> BulkAct:
        """The act as the list of acts has it."""
        given = {"by": self.by or None, "why": self.why or None, "step": self.step or None}
        return BulkAct(act_id=self.act_id, act=self.act, **given, filter=self.filter)


@dataclass(frozen=True, kw_only=True)
class Target:
    """One saga, and the state that the operator saw."""

    id: str
    seen: Seen = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """Result of the act on one saga."""

    id: str
    verdict: Verdict
    reason: str | None = None  #: Why it was not done.
    #: False if the broker did not take the saga's next message: a sweep publishes it.
    is_published: bool = True
    signalled: Signalled | None = None  #: What the saga did with a signal.
    #: Where it needs more of them, or has not come to its wait: how many it has, and of how many.
    signals: tuple[int, int] | None = None


class Line:
    """A connection to the broker, opened for the first message, and not tried again after a failure."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._exits = ExitStack()
        self._connection: Any = None
        self._is_away = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def send_advance(self, saga_id: str, number: int) -> bool:
        """Publish a saga's next message. Returns whether the broker took it."""
        if self._is_away:
            return False
        try:
            with publishing():
                if self._connection is None:
                    unused = connected(self._app.connection_for_write())
                    self._connection = self._exits.enter_context(unused)
                message = advance_message(self._app, saga_id, number)
                message.apply_async(connection=self._connection)
        except OperationalError:
            self._is_away = True
        return not self._is_away


class _Operated(Handle[dict[str, Any]]):
    """A handle that publishes over a shared connection, and notes whether it could."""

    def __init__(self, saga_id: str, line: Line, *, is_listed: bool) -> None:
        super().__init__(saga_id, dict)
        self._line = line
        self._is_listed = is_listed
        self.is_published = True
        self.signalled: Signalled | None = None
        self.signals: tuple[int, int] | None = None

    @property
    def _control(self) -> SagaControl:
        control = log_of(app_or_default()).control
        return control if self._is_listed else control.unlisted

    def _go_on(self, follows: Continuation) -> None:
        if isinstance(follows, Advance):
            self.is_published = self._line.send_advance(self.id, follows.number)

    def count_signals(self, name: str) -> tuple[int, int]:
        """Return how many signals came for a wait, and of how many."""
        entry = log_of(app_or_default()).read_saga(self.id)
        wait = entry.itinerary.records[name].step.wait
        return entry.records[name].signals, wait.count if wait else 0


def perform_one(
    operation: Operation, target: Target, line: Line, *, is_listed: bool = True
) -> Result:
    """Act on one saga.

    is_listed: whether it is an act of its own in the list of acts, and not a part of one on many.
    """
    handle = _Operated(target.id, line, is_listed=is_listed)
    try:
        reason = _ACTS[operation.act](handle, operation, target.seen)
    except ActRefused as refused:
        reason = refused.reason
    except UnknownSaga:
        return Result(id=target.id, verdict=Verdict.UNKNOWN, reason="there is no such saga")
    except (LogUnavailable, ConfigurationError) as error:
        return Result(id=target.id, verdict=Verdict.UNAVAILABLE, reason=str(error))
    return Result(
        id=target.id,
        verdict=Verdict.REFUSED if reason else Verdict.DONE,
        reason=reason,
        is_published=handle.is_published,
        signalled=handle.signalled,
        signals=handle.signals,
    )


def _told(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    errors = error.errors(include_url=False)
    return "; ".join(": ".join([*_place(each["loc"]), each["msg"]]) for each in errors)


def _place(location: Sequence[int | str]) -> list[str]:
    return [".".join(map(str, location))] if location else []


def _cancel(handle: _Operated, operation: Operation, seen: Seen) -> str | None:
    return None if handle.cancel(**operation.signed, seen=seen) else f"it is {handle.status}"


def _retry(handle: _Operated, operation: Operation, seen: Seen) -> None:
    handle.retry(**operation.signed, seen=seen)


def _skip(handle: _Operated, operation: Operation, seen: Seen) -> str | None:
    try:
        handle.skip(operation.step, output=operation.output, **operation.signed, seen=seen)
    except (ValidationError, TypeError, ValueError) as error:
        return f"the output does not fit: {_told(error)}"
    return None


def _signal(handle: _Operated, operation: Operation, seen: Seen) -> str | None:  # noqa: ARG001
    """Give a signal. Which state of the saga the operator saw does not matter to it."""
    name, value = operation.step, operation.output
    try:
        handle.signalled = handle.signal(name, value, id=operation.act_id, by=operation.by)
    except (ValidationError, TypeError, ValueError) as error:
        return f"the signal does not fit: {_told(error)}"
    if handle.signalled is not Signalled.TAKEN:
        handle.signals = handle.count_signals(name)
    return None


def _pause(handle: _Operated, operation: Operation, seen: Seen) -> None:
    handle.pause(**operation.signed, seen=seen)


def _resume(handle: _Operated, operation: Operation, seen: Seen) -> None:
    handle.resume(**operation.signed, seen=seen)


_ACTS: Final[Mapping[ActName, Callable[[_Operated, Operation, Seen], str | None]]] = {
    "cancel": _cancel,
    "retry": _retry,
    "skip": _skip,
    "pause": _pause,
    "resume": _resume,
    "signal": _signal,
}
