"""An operator's act on many sagas, with a result for each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal, Self

from celery import Celery
from celery.app import app_or_default
from kombu.exceptions import OperationalError
from pydantic import ValidationError

from amends.dispatch.broker import connected
from amends.dispatch.messages import advance_message, publishing
from amends.errors import ActRefused, LogUnavailable, UnknownSaga
from amends.log.continuation import Advance, Continuation
from amends.log.control import Seen
from amends.saga.handle import Handle

ActName = Literal["retry", "skip", "cancel", "pause", "resume"]


class Verdict(StrEnum):
    """What became of an act on one saga."""

    DONE = "done"
    """The log has it."""
    REFUSED = "refused"
    """Nothing was done: the saga is not where the act would find it, or an output does not fit."""
    UNKNOWN = "unknown"
    """There is no such saga."""
    UNAVAILABLE = "unavailable"
    """The log is away: nobody knows whether it was done. The act may be repeated."""
    NOT_TRIED = "not_tried"
    """The log was away for the one before."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What a person does, and why. `step` and `output` are a skip's."""

    act: ActName
    by: str
    why: str
    step: str = ""
    output: Any = None


@dataclass(frozen=True, kw_only=True)
class Target:
    """One saga, and what that person saw of it."""

    id: str
    seen: Seen = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of the act on one saga, and why it was not done.

    It `is_published` where the broker took the message that lets the saga go on, or none was due; without, the
    saga goes on when a sweep comes to it.
    """

    id: str
    verdict: Verdict
    reason: str | None = None
    is_published: bool = True


def perform(operation: Operation, targets: Sequence[Target]) -> Iterator[Result]:
    """Do it on each of these sagas of the current Celery app, in order, and yield each result as it comes.

    Where the log goes away the rest is not tried; where the broker does, the sweep carries on. Raises nothing
    of the engine's.
    """
    app = app_or_default()
    is_away = False
    with _Line(app) as line:
        for target in targets:
            if is_away:
                yield Result(id=target.id, verdict=Verdict.NOT_TRIED)
                continue
            result = _perform_one(operation, target, line)
            is_away = result.verdict is Verdict.UNAVAILABLE
            yield result


class _Line:
    """A connection to the broker, made for the first message. Once the broker is away it is left alone."""

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
        """Publish what makes a saga go on; tell whether the broker took it."""
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
    """A handle that publishes over a line, and knows whether it could."""

    def __init__(self, saga_id: str, line: _Line) -> None:
        super().__init__(saga_id, dict)
        self._line = line
        self.is_published = True

    def _go_on(self, follows: Continuation) -> None:
        if isinstance(follows, Advance):
            self.is_published = self._line.send_advance(self.id, follows.number)


def _perform_one(operation: Operation, target: Target, line: _Line) -> Result:
    handle = _Operated(target.id, line)
    try:
        reason = _ACTS[operation.act](handle, operation, target.seen)
    except ActRefused as refused:
        reason = refused.reason
    except UnknownSaga:
        return Result(id=target.id, verdict=Verdict.UNKNOWN, reason="there is no such saga")
    except LogUnavailable as error:
        return Result(id=target.id, verdict=Verdict.UNAVAILABLE, reason=str(error))
    verdict = Verdict.REFUSED if reason else Verdict.DONE
    return Result(id=target.id, verdict=verdict, reason=reason, is_published=handle.is_published)


def _told(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    errors = error.errors(include_url=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in errors)


def _cancel(handle: _Operated, operation: Operation, seen: Seen) -> str | None:
    if handle.cancel(by=operation.by, why=operation.why, seen=seen):
        return None
    return f"it is {handle.status}"


def _retry(handle: _Operated, operation: Operation, seen: Seen) -> None:
    handle.retry(by=operation.by, why=operation.why, seen=seen)


def _skip(handle: _Operated, operation: Operation, seen: Seen) -> str | None:
    by, why = operation.by, operation.why
    try:
        handle.skip(operation.step, output=operation.output, by=by, why=why, seen=seen)
    except (ValidationError, TypeError, ValueError) as error:
        return f"the output does not fit: {_told(error)}"
    return None


def _pause(handle: _Operated, operation: Operation, seen: Seen) -> None:
    handle.pause(by=operation.by, why=operation.why, seen=seen)


def _resume(handle: _Operated, operation: Operation, seen: Seen) -> None:
    handle.resume(by=operation.by, why=operation.why, seen=seen)


_ACTS: Final[Mapping[ActName, Callable[[_Operated, Operation, Seen], str | None]]] = {
    "cancel": _cancel,
    "retry": _retry,
    "skip": _skip,
    "pause": _pause,
    "resume": _resume,
}
