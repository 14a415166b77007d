"""The handle of a saga: follow, await, cancel and repair it."""

from functools import partial
from typing import Any, TypeVar

from celery import current_app

from amends.archive.lookup import archived_status, read_history, read_outcome, read_saga
from amends.asynchronous.calls import in_thread
from amends.definition.signal_models import Models
from amends.definition.states import SagaStatus
from amends.dispatch.messages import send_advance
from amends.errors import UnknownSaga
from amends.log.answers import Advance, Continuation, Lacking, Late
from amends.log.control import SagaControl, Seen, Signalled, cancelled_error, new_act_id
from amends.log.history import Event
from amends.log.keys import SagaId, id_text
from amends.log.saga_log import SagaLog, log_of
from amends.saga.async_handle import AsyncHandle
from amends.saga.output import Build, read_output
from amends.saga.signals import signal_text
from amends.saga.skipped_output import skipped_output
from amends.saga.snapshot import Snapshot, snapshot_of
from amends.saga.wait import Wait
from amends.saga.waiting import Until, await_saga, check_outside_of_tasks

Result = TypeVar("Result")


class Handle(AsyncHandle[Result]):
    """The handle of one saga.

    saga_id: the saga's id.
    output: makes the value that `wait` returns from the fields of the output.
    early: the same while no outcome is decided; by default `output`.
    signals: models of the saga's signals by name; by default they are found by the saga's definition.

    Each method and property raises `UnknownSaga` if there is no such saga, and `LogUnavailable`. One that was removed after its end
    is read from the archive if that can be (`amends_archive`); without one its status and outcome are remembered. The acts (`cancel`, `retry`,
    `skip`, `pause`, `resume`) take:

    by, why: name of the operator, and the reason, for the history.
    seen: the saga as the operator saw it: the number of events in its history (the sum of each `count`), which is exact,
        or its status. If it has changed since, the act raises `ActRefused` and does nothing.
    act_id: the same id is the same act, and gets its first answer; random by default. An act whose answer is lost is asked
        for once more. Then it raises `LogUnavailable`, whose `act_id` a caller repeats it with.
    """

    def __init__(
        self,
        saga_id: SagaId,
        output: Build[Result],
        early: Build[Result] | None = None,
        signals: Models | None = None,
    ) -> None:
        # What a start would refuse is nobody's id: a look at it says so.
        self.id = saga_id if isinstance(saga_id, str) else id_text(saga_id)
        self._output = output
        self._early = early or output
        self._signals = signals

    def __repr__(self) -> str:
        return f"<Handle {self.id}>"

    @property
    def _log(self) -> SagaLog:
        return log_of(current_app)

    @property
    def _control(self) -> SagaControl:
        return self._log.control

    @property
    def status(self) -> SagaStatus:
        """The present status."""
        try:
            return self._log.read_status(self.id)
        except UnknownSaga as error:
            return archived_status(current_app, error)

    @property
    def outcome(self) -> str | None:
        """The outcome, as the definition names it; None until it is decided."""
        return read_outcome(current_app, self.id)

    def snapshot(self) -> Snapshot:
        """Read the saga's status and outcome, and every step's state, attempts and error."""
        return snapshot_of(read_saga(current_app, self.id))

    def history(self) -> list[Event]:
        """Read the events of the saga, in order; one may stand for many alike, see `Event`."""
        return read_history(current_app, self.id)

    def cancel(
        self,
        *,
        by: str | None = None,
        why: str | None = None,
        seen: Seen = None,
        act_id: str | None = None,
    ) -> bool:
        """Cancel the saga: start nothing more, and compensate what was done.

        A running attempt may still finish; the compensation begins after it, and includes it.
        Returns False if it comes too late: the saga has ended, or compensates already.
        """
        error, cancel = cancelled_error(why), self._control.cancel_saga
        follows = cancel(self.id, error=error, actor=_actor(by, why), seen=seen, act_id=act_id)
        self._go_on(follows)
        return not isinstance(follows, Late)

    def retry(
        self,
        *,
        by: str | None = None,
        why: str | None = None,
        seen: Seen = None,
        act_id: str | None = None,
    ) -> None:
        """Retry now: each compensation that failed for good, and the next record, with a fresh attempt budget.

        A deadline stays. Raises `ActRefused` if a step is running, if a step that waits for no time was sent less than 10 s
        ago, or if the saga has ended.
        """
        control, actor = self._control, _actor(by, why)
        self._go_on(control.retry_saga(self.id, actor=actor, seen=seen, act_id=act_id))

    def skip(
        self,
        step: str,
        *,
        output: Any = None,
        by: str | None = None,
        why: str | None = None,
        seen: Seen = None,
        act_id: str | None = None,
    ) -> None:
        """Pass over a step that an operator did, or undid, by hand.

        step: name of a step, or a record path such as ``charge:undo``. A name selects its failed compensations, or
            else its next pending record.
        output: the output of a step that goes forward, of the activity's model.

        Raises `ActRefused` if the saga does not stand at that record, and pydantic's ``ValidationError`` for an invalid
        output.
        """
        skip = partial(self._control.skip_step, self.id, step, actor=_actor(by, why), seen=seen)
        token = new_act_id() if act_id is None else act_id
        text = "" if output is None else skipped_output(self._log, self.id, step, output)
        follows = skip(output=text, act_id=token)
        if isinstance(follows, Lacking):  # None is what some activities return
            text = skipped_output(self._log, self.id, step, None)
            follows = skip(output=text, act_id=token)
        self._go_on(follows)

    def pause(
        self,
        *,
        by: str | None = None,
        why: str | None = None,
        seen: Seen = None,
        act_id: str | None = None,
    ) -> None:
        """Begin nothing more until `resume`. A running attempt may finish, and its result is kept.

        A cancel or the deadline still turns the saga; its compensations wait. Raises `ActRefused` if the saga has ended.
        """
        self._control.pause_saga(self.id, actor=_actor(by, why), seen=seen, act_id=act_id)

    def resume(
        self,
        *,
        by: str | None = None,
        why: str | None = None,
        seen: Seen = None,
        act_id: str | None = None,
    ) -> None:
        """Let a paused saga go on. Raises what `pause` does."""
        control, actor = self._control, _actor(by, why)
        self._go_on(control.resume_saga(self.id, actor=actor, seen=seen, act_id=act_id))

    def signal(
        self,
        name: str | Wait[Any],
        value: Any,
        *,
        id: str | None = None,  # noqa: A002 - the word that a reader expects
        by: str | None = None,
    ) -> Signalled:
        """Give the saga a signal that it waits for, see `Wait`, or will wait for.

        name: of the wait, or the wait itself.
        value: the signal, of the wait's model, or data of it.
        id: the same id is the same signal, and gets its first answer: 1 to 128 printable ASCII characters; random by default.
        by: who gives it. Where a wait needs several, those of one giver count once.

        Raises `ActRefused` if the saga waits for none of that name, or no more, has ended or turns back, pydantic's
        ``ValidationError``, ``ValueError`` for an invalid id, and `LogUnavailable` with the signal's id as its `act_id`.
        """
        called = name.name if isinstance(name, Wait) else name
        text = signal_text(self._log, self.id, called, value, self._signals)
        how, follows = self._control.signal_saga(self.id, called, value=text, signal_id=id, by=by)
        self._go_on(follows)
        return how

    def _go_on(self, follows: Continuation) -> None:
        if isinstance(follows, Advance):
            send_advance(current_app, self.id, follows.number)

    def wait(self, timeout: float | None = None, *, until: Until = None) -> Result:
        """Wait for the saga's end and return its output, whatever the outcome.

        timeout: longest wait in seconds; None is no limit.
        until: a step, or its name: return once that is done, skipped or passed over, or the saga has ended. The output is then
            filled as far as the saga is: a field of a step that is not done is None, and until an outcome is decided so is
            the field that has it, whatever its type.

        Raises `TimeoutError` after that time, `SagaStuck` if the saga waits for an operator, `LogUnavailable` if the log
        is away then (without a timeout, at once), `UnreadableData` if the output's model cannot read what older
        code stored, ``ValueError`` for a step that the saga does not have and for a timeout that is no number, and `RuntimeError` inside a task, whose pool slot
        the saga may need.
        """
        check_outside_of_tasks(f"wait() for saga {self.id!r}")
        await_saga(self._log, self.id, until=until, timeout=timeout, by_outbox=self.is_by_outbox)
        return self._read_output()

    def _read_output(self) -> Result:
        entry = read_saga(current_app, self.id)
        return read_output(entry, self._early if entry.outcome is None else self._output)


def _actor(by: str | None, why: str | None) -> dict[str, str]:
    return {name: value for name, value in (("by", by), ("why", why)) if value is not None}


def get(saga_id: SagaId) -> Handle[dict[str, Any]]:
    """Find a saga by its id, whatever its definition; its `wait` returns a plain dict.

    Raises `UnknownSaga`, ``ValueError`` for what is neither a text nor a UUID or an int, and `LogUnavailable`.
    """
    handle = Handle(saga_id, dict)
    _ = handle.status  # raises where there is none
    return handle


async def get_async(saga_id: SagaId) -> Handle[dict[str, Any]]:
    """`get` for a coroutine."""
    return await in_thread(get, saga_id)
