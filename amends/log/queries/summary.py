"""Summaries of sagas, for lists."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from amends.backend.script_constants import TIMED
from amends.definition.paths import UNDO, child_id, without_item
from amends.definition.states import RecordState, SagaStatus
from amends.errors import LogUnavailable
from amends.log.record import error_frame, error_text
from amends.log.saga_state import Parent
from amends.log.store import Store

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SagaHeader:
    """The part of a summary that needs no look at the saga's records."""

    saga: str
    outcome: str | None
    paused: bool


@dataclass(frozen=True, kw_only=True)
class SagaSummary:
    """A saga in a list. Moments are seconds since 1970 by the log's clock."""

    id: str
    saga: str
    status: SagaStatus
    is_backward: bool
    paused: bool
    outcome: str | None
    reason: str | None
    error: str | None  #: Last error of the present record, else the one that turned the saga back.
    frame: str | None  #: Where the application raised that error, if that is known.
    #: Path of the present record: running, else stuck, else next. None if the saga has ended.
    record: str | None
    #: Of a stage of several branches the paths of all present records, without items.
    beside: Sequence[str]
    state: RecordState | None  #: Of that record.
    attempts: int  #: Of that record.
    #: Seconds until that record may run again, or its wait is over; None if it does not wait, or for signals alone.
    wait: float | None
    wanted: int | None  #: Signals that the record waits for, 0 if for a time; None if it does not.
    signals: int  #: Those of them that came.
    at: float  #: When the summary was read.
    since: float  #: When the saga came to its status.
    created: float
    events: int  #: Events in its history; an act takes the number as `seen`.
    parent: Parent | None = None  #: The saga that it is a step of.
    child: str | None = None  #: Id of the saga that the present record waits for.
    has_children: bool = False  #: Whether it waits for such a saga, at that record or one beside.
    circuits: Sequence[str] = ()  #: Circuit breakers that its present records wait for.

    @property
    def age(self) -> float:
        """Seconds in its status."""
        return self.at - self.since

    @property
    def is_parked(self) -> bool:
        """Whether it waits for a deploy: `reason` says why."""
        return self.reason is not None and self.state != "stuck"

    @property
    def step(self) -> str | None:
        """Name of the step that the present record belongs to, as the definition has it."""
        return self.record and without_item(self.record.partition(":")[0])

    @property
    def places(self) -> frozenset[str]:
        """What its present records and their steps are called, with and without items."""
        paths = (path for path in (self.record, *self.beside) if path)
        names = (name for path in paths for name in (path, path.partition(":")[0]))
        return frozenset(each for name in names for each in (name, without_item(name)))

    @classmethod
    def read(cls, saga_id: str, answer: Sequence[Any]) -> Self:
        """Read what the script answered."""
        at, status, since, name, direction, paused, created, outcome, reason, error, *own = answer
        record, state, attempts, again, own_error, events, beside, wanted, signals, *kin = own
        parent, tries, has_children, circuits = kin
        return cls(
            id=saga_id,
            saga=name,
            status=SagaStatus(status),
            is_backward=direction == "backward",
            paused=bool(paused),
            outcome=outcome or None,
            reason=reason or None,
            error=error_text(own_error or error or None),
            frame=error_frame(own_error or error or None),
            record=record or None,
            beside=beside.split(",") if beside else (),
            state=RecordState(state) if record else None,
            attempts=int(attempts),
            wait=max(0.0, (int(again) - int(at)) / 1000) if again else None,
            wanted=int(wanted) if wanted else None,
            signals=int(signals),
            at=int(at) / 1000,
            since=int(float(since)) % TIMED / 1000,
            created=int(created) / 1000,
            events=int(events),
            parent=Parent.read(parent),
            child=None if tries == "" else child_id(saga_id, record.removesuffix(UNDO), int(tries)),
            has_children=bool(has_children),
            circuits=circuits.split(",") if circuits else (),
        )


class SagaSummaries:
    """Reads summaries. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def summarize_sagas(self, saga_ids: Sequence[str]) -> list[SagaSummary | None]:
        """Return the summary of each saga, or None if there is none or it cannot be read, in one round trip."""
        if not saga_ids:
            return []
        calls = [(self._store.keys_of(saga_id), [saga_id]) for saga_id in saga_ids]
        answers = self._store.try_many("summarize_saga", calls)
        errors = [each for each in answers if isinstance(each, Exception)]
        if len(errors) == len(answers) or any(isinstance(each, LogUnavailable) for each in errors):
            raise errors[0]
        return [_read(*each) for each in zip(saga_ids, answers, strict=True)]

    def read_headers(self, saga_ids: Sequence[str]) -> list[SagaHeader | None]:
        """Return the header of each saga, or None if there is none, in one round trip."""

        def command(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            for saga_id in saga_ids:
                pipeline.hmget(self._store.keys_of(saga_id)[0], "name", "outcome", "paused")
            return pipeline.execute()

        return [
            None if name is None else SagaHeader(saga=name, outcome=outcome, paused=bool(paused))
            for name, outcome, paused in self._store.read(command)
        ]


def _read(saga_id: str, answer: Any) -> SagaSummary | None:
    error = answer if isinstance(answer, Exception) else None
    try:
        if error is None:
            return SagaSummary.read(saga_id, answer) if answer else None
    except Exception as its_own:  # noqa: BLE001 - one that cannot be read hides no other
        error = its_own
    _logger.warning("saga %s cannot be read, and is not listed: %s", saga_id, error)
    return None
