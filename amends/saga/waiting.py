"""The wait for a saga's end, or until a step of it is behind the saga: the turns of its loop, for threads and event loops."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Final

from celery import current_app

from amends.definition.numbers import is_number
from amends.definition.states import SagaStatus
from amends.dispatch.messages import plays_messages
from amends.errors import LogUnavailable, SagaStuck, UnknownSaga, did_you_mean
from amends.log.saga_log import SagaLog
from amends.log.waits import Event, Wait
from amends.saga.any_step import AnyStep

Until = str | AnyStep | None

_AGAIN: Final = 0.5
"""Seconds until the log is asked again that was away."""


def await_saga(
    log: SagaLog, saga_id: str, *, until: Until, timeout: float | None, by_outbox: bool
) -> None:
    """Return once a step of a saga is done, skipped or passed over, or the saga has ended. Raises what `Handle.wait` does."""
    event = threading.Event()
    with awaiting(log, saga_id, event, until=until, timeout=timeout, by_outbox=by_outbox) as turns:
        while not turns.outlasting(turns.is_enough):
            turns.end_pause(was_woken=event.wait(turns.begin_pause()))


def check_outside_of_tasks(wait: str) -> None:
    """Raise ``RuntimeError`` where a wait is called inside of a Celery task."""
    if current_app.current_worker_task is not None:
        raise RuntimeError(
            f"{wait} inside a Celery task: it would hold a pool slot that the saga"
            " may need; start it here and read its outcome elsewhere"
        )


@contextmanager
def awaiting(
    log: SagaLog,
    saga_id: str,
    event: Event,
    *,
    until: Until,
    timeout: float | None,
    by_outbox: bool,
) -> Iterator["Turns"]:
    """Begin a wait; `event` is set when a look is worth while.

    by_outbox: whether the outbox starts the saga, which the log may hear of later.

    Raises ``ValueError`` for a timeout that is no number.
    """
    if timeout is not None and not is_number(timeout):
        raise ValueError(f"timeout={timeout!r} is not a time in seconds")
    with log.waits.begin(saga_id, event) as wait:
        yield Turns(log, saga_id, wait, until=until, timeout=timeout, by_outbox=by_outbox)


class Turns:
    """The turns of one wait: a look at the log, which may take seconds, and a pause."""

    def __init__(
        self,
        log: SagaLog,
        saga_id: str,
        wait: Wait,
        *,
        until: Until,
        timeout: float | None,
        by_outbox: bool,
    ) -> None:
        self._log = log
        self._saga_id = saga_id
        self._wait = wait
        self._until = until
        self._step = ""
        self._timeout = timeout
        self._deadline = inf if timeout is None else time.monotonic() + timeout
        self._is_away = self._is_looking = False
        self._seen: SagaStatus | None = None
        # Where sagas are played in the process itself a commit has done that, and nothing comes later.
        self._by_outbox = by_outbox and not plays_messages(current_app)

    def is_enough(self) -> bool:
        """Look how far the saga is. Raises what `Handle.wait` does."""
        if self._until is not None:
            self._step, self._until = self._name_of(self._until), None
        look = self._wait.look(self._step)
        self._seen = look.status
        if look.is_enough:
            return True
        if look.status is SagaStatus.STUCK:
            raise SagaStuck(self._saga_id, self._log.read_saga(self._saga_id).reason or "")
        if self._left <= 0:
            raise self._timed_out()
        return False

    def as_late(self) -> Exception:
        """Return the error of a wait whose time is over before a look could tell so.

        Where the log told of the saga last, the look has found no thread yet; where it is asked, it does not answer.
        """
        if self._seen is not None and not self._is_away and not self._is_looking:
            return self._timed_out()
        return LogUnavailable(
            f"the saga log has not told within {self._timeout} s how saga {self._saga_id!r} is"
        )

    def _timed_out(self) -> TimeoutError:
        return TimeoutError(f"saga {self._saga_id!r} is {self._seen} after {self._timeout} s")

    def outlasting(self, look: Callable[[], bool]) -> bool:
        """Return what a look does; False where the log is away, which may be there again in time."""
        self._is_away, self._is_looking = False, True
        try:
            return look()
        except LogUnavailable as error:
            self.outlast(error)
        except UnknownSaga as error:
            self._outlast_outbox(error)
        finally:
            self._is_looking = False
        return False

    def outlast(self, error: LogUnavailable) -> None:
        """Let the next pause be for a log that is away. Raises its error if there is no time for one."""
        if self._deadline == inf or self._left < 0:
            raise error
        self._is_away = True

    def _outlast_outbox(self, error: UnknownSaga) -> None:
        """Let the next pause be for a start that is not delivered. Raises if there can be none, or no time for one."""
        if not self._by_outbox or self._deadline == inf:
            raise error
        if self._left <= 0:
            told = f"saga {self._saga_id!r} is not in the log after {self._timeout} s"
            why = "its start is in the outbox, or its transaction was not committed"
            raise TimeoutError(f"{told}: {why}") from error

    def begin_pause(self) -> float:
        """Return for how many seconds the event is to be waited for."""
        return _AGAIN if self._is_away else self._wait.begin_pause(self._left)

    def end_pause(self, *, was_woken: bool) -> None:
        """Note whether the event was set."""
        self._wait.end_pause(was_woken=was_woken)

    @property
    def _left(self) -> float:
        return self._deadline - time.monotonic()

    def _name_of(self, until: str | AnyStep) -> str:
        """Return the name of a step. Raises ``ValueError`` where the saga has none of that name."""
        try:
            itinerary = self._log.read_saga(self._saga_id).itinerary
        except UnknownSaga:
            if self._log.read_remembered(self._saga_id) is None:
                raise
            return ""  # it has ended, and was removed
        known = [step.name for step in itinerary.steps]
        name = until.name if isinstance(until, AnyStep) else until
        if name in known:
            return name
        hint = did_you_mean(name, known) if isinstance(name, str) else ""
        raise ValueError(
            f"until={name!r} is no step of saga {itinerary.saga!r}{hint}; its steps are {', '.join(known)}"
        )
