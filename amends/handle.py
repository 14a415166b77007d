"""A saga seen from outside: where it is, how it came there, and what came of it."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from celery import current_app
from celery._state import get_current_worker_task
from pydantic_core import from_json

from amends.answers import Entry
from amends.errors import SagaStuck
from amends.events import Event
from amends.itinerary import Sources, StepPlan, fill
from amends.log import SagaLog, log_of
from amends.messages import send_advance
from amends.payload import canonical_json, error_text
from amends.states import ENDED, RecordState, SagaStatus, StepState, step_state

Result = TypeVar("Result")

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class RecordSnapshot:
    """One channel of a step: its own activity, or its fallback."""

    activity: str
    state: RecordState
    attempts: int
    error: str | None
    undo: RecordState | None
    undo_attempts: int
    undo_error: str | None


@dataclass(frozen=True, kw_only=True)
class StepSnapshot:
    """A step: its state, its attempts over both channels, and its last error.

    `channel` is the one that served last, ``primary`` or ``fallback``; `channels` has each by name.
    """

    name: str
    state: StepState
    attempts: int
    error: str | None
    channel: str
    channels: Mapping[str, RecordSnapshot]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A saga at one moment. `outcome` is None until it is decided, `reason` unless it is stuck."""

    id: str
    saga: str
    status: SagaStatus
    outcome: str | None
    reason: str | None
    steps: Mapping[str, StepSnapshot]


class Handle(Generic[Result]):
    """One saga. Reading raises `UnknownSaga` where there is none, and `LogUnavailable`.

    `output` makes what `wait` returns of the output's fields.
    """

    def __init__(self, saga_id: str, output: Callable[[dict[str, Any]], Result]) -> None:
        self.id = saga_id
        self._output = output

    def __repr__(self) -> str:
        return f"<Handle {self.id}>"

    @property
    def _log(self) -> SagaLog:
        return log_of(current_app)

    @property
    def status(self) -> SagaStatus:
        """Where the saga is now."""
        return self._log.read_status(self.id)

    @property
    def outcome(self) -> str | None:
        """What came of the saga, as its definition names it; None until it is decided."""
        return self._log.read_saga(self.id).fields.get("outcome")

    def snapshot(self) -> Snapshot:
        """Read the saga's status and outcome, and every step's state, attempts and error."""
        entry = self._log.read_saga(self.id)
        return Snapshot(
            id=self.id,
            saga=entry.itinerary.saga,
            status=entry.status,
            outcome=entry.fields.get("outcome"),
            reason=entry.fields.get("reason"),
            steps={step.name: _step(entry, step) for step in entry.itinerary.steps},
        )

    def history(self) -> list[Event]:
        """Read every event of the saga, in order."""
        return self._log.read_history(self.id)

    def cancel(self, *, by: str | None = None, why: str | None = None) -> bool:
        """Cancel the saga: start nothing more, and undo what was done.

        A running attempt may still finish; the undo begins after it, and includes it. `by` and `why`
        go into the history. Returns False where it comes too late: the saga has ended, or goes back
        already. Raises `UnknownSaga`, and `LogUnavailable`.
        """
        given = {"by": by, "why": why}
        actor = {name: value for name, value in given.items() if value is not None}
        error = {"type": "Cancelled", "message": why or "someone cancelled the saga"}
        follows = self._log.cancel_saga(self.id, error=canonical_json(error), actor=actor)
        if follows.action == "advance":
            send_advance(current_app, self.id, follows.number)
        return follows.action != "late"

    def wait(self, timeout: float | None = None) -> Result:
        """Wait for the saga's end and return its output, whatever the outcome.

        `timeout` is in seconds. Raises `TimeoutError` when it has passed, `SagaStuck` when a person
        is needed, and `RuntimeError` at once inside a task, whose pool slot the saga may need.
        """
        if get_current_worker_task() is not None:
            raise RuntimeError(
                f"wait() for saga {self.id!r} inside a Celery task: it would hold a pool slot that the saga"
                " may need; start it here and read its outcome elsewhere"
            )
        until = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while (status := self.status) not in ENDED:
            if status is SagaStatus.STUCK:
                raise SagaStuck(self.id, self.snapshot().reason or "")
            left = _LONGEST_PAUSE if until is None else until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"saga {self.id!r} is {status} after {timeout} s")
            time.sleep(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311 - jitter
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return self._result()

    def _result(self) -> Result:
        entry = self._log.read_saga(self.id)
        return self._output(fill(entry.itinerary.output, _result_sources(entry)))


def get(saga_id: str) -> Handle[dict[str, Any]]:
    """Find a saga by its id, whatever its definition; its `wait` returns a plain dict.

    Raises `UnknownSaga`, and `LogUnavailable`.
    """
    handle = Handle(saga_id, dict)
    _ = handle.status  # raises where there is none
    return handle


def _result_sources(entry: Entry) -> Sources:
    fields = entry.fields
    sources: dict[str, Any] = {
        "input": from_json(fields["input"]),
        "saga": {
            "saga_id": entry.id,
            "outcome": fields.get("outcome"),
            "error": error_text(fields.get("error")),
        },
    }
    for number, step in enumerate(entry.itinerary.steps, 1):
        texts = [fields.get(f"{number}{channel}.x") for channel in ("f", "")]
        sources[step.name] = next((from_json(text) for text in texts if text is not None), None)
    return sources


def _step(entry: Entry, step: StepPlan) -> StepSnapshot:
    number = entry.itinerary.steps.index(step) + 1
    channels = {"primary": _record(entry, f"{number}", step.activity.task)}
    if step.fallback:
        channels["fallback"] = _record(entry, f"{number}f", step.fallback.task)
    switched = f"{number}f.s" in entry.fields
    current = channels["fallback" if switched else "primary"]
    backward = entry.fields["direction"] == "backward"
    owing = {RecordState.DONE, RecordState.UNKNOWN, RecordState.SKIPPED}
    undos = {
        name: channel.undo
        for name, channel in channels.items()
        if channel.undo is not None and channel.state in owing
    }
    touched = any(state is not RecordState.PENDING for state in undos.values())
    state = step_state(
        channels["primary"].state,
        current.state if switched else None,
        undos if touched else {},
        backward=backward,
    )
    errors = [channels["primary"].error, current.error, *(c.undo_error for c in channels.values())]
    return StepSnapshot(
        name=step.name,
        state=state,
        attempts=sum(channel.attempts for channel in channels.values()),
        error=next((error for error in reversed(errors) if error), None),
        channel="fallback" if switched else "primary",
        channels=channels,
    )


def _record(entry: Entry, code: str, activity: str) -> RecordSnapshot:
    fields = entry.fields
    undo = code + "u"
    has_undo = entry.itinerary.steps[int(code.rstrip("f")) - 1].compensation is not None
    return RecordSnapshot(
        activity=activity,
        state=RecordState(fields.get(f"{code}.s", "pending")),
        attempts=int(fields.get(f"{code}.a", 0)),
        error=error_text(fields.get(f"{code}.e")),
        undo=RecordState(fields.get(f"{undo}.s", "pending")) if has_undo else None,
        undo_attempts=int(fields.get(f"{undo}.a", 0)),
        undo_error=error_text(fields.get(f"{undo}.e")),
    )
