"""Where sagas are, in the few words that a list has room for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from amends.definition.serialization import error_text
from amends.definition.states import RecordState, SagaStatus
from amends.log.store import Store


@dataclass(frozen=True, kw_only=True)
class SagaHeader:
    """What is known of a saga without looking at its steps."""

    saga: str
    outcome: str | None
    paused: bool


@dataclass(frozen=True, kw_only=True)
class SagaSummary:
    """Where a saga was `at` that time, in its status since `since`; both, and `created`, are seconds since 1970.

    `record` is the path of the record that it stands at, None where it has ended: what runs, else the undo that
    failed for good, else what comes next. `state` and `attempts` are that record's, and it may run again in `wait` seconds, None
    where nothing waits. So many `events` are in its history, which an act takes as `seen`. `error` is the record's last one, else the one that turned the saga back.
    """

    id: str
    saga: str
    status: SagaStatus
    is_backward: bool
    paused: bool
    outcome: str | None
    reason: str | None
    error: str | None
    record: str | None
    state: RecordState | None
    attempts: int
    wait: float | None
    at: float
    since: float
    created: float
    events: int

    @property
    def age(self) -> float:
        """How many seconds it is in its status."""
        return self.at - self.since

    @property
    def step(self) -> str | None:
        """The name of the step that it stands at."""
        return self.record and self.record.partition(":")[0]

    @classmethod
    def read(cls, saga_id: str, answer: Sequence[Any]) -> Self:
        """Read what the script answered."""
        at, status, since, name, direction, paused, created, outcome, reason, error, *own = answer
        record, state, attempts, again, own_error, events = own
        return cls(
            id=saga_id,
            saga=name,
            status=SagaStatus(status),
            is_backward=direction == "backward",
            paused=bool(paused),
            outcome=outcome or None,
            reason=reason or None,
            error=error_text(own_error or error or None),
            record=record or None,
            state=RecordState(state) if record else None,
            attempts=int(attempts),
            wait=max(0.0, (int(again) - int(at)) / 1000) if again else None,
            at=int(at) / 1000,
            since=int(float(since)) / 1000,
            created=int(created) / 1000,
            events=int(events),
        )


class SagaSummaries:
    """Reads where sagas are. Raises `LogUnavailable`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def summarize_sagas(self, saga_ids: Sequence[str]) -> list[SagaSummary | None]:
        """Summarize each of these sagas, in one round trip; None where there is none."""
        if not saga_ids:
            return []
        calls = [(self._store.keys_of(saga_id), [saga_id]) for saga_id in saga_ids]
        answers = self._store.call_many("summarize_saga", calls)
        return [
            SagaSummary.read(saga_id, answer) if answer else None
            for saga_id, answer in zip(saga_ids, answers, strict=True)
        ]

    def read_headers(self, saga_ids: Sequence[str]) -> list[SagaHeader | None]:
        """Read the head of each of these sagas, in one round trip; None where there is none."""

        def command(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            for saga_id in saga_ids:
                pipeline.hmget(self._store.keys_of(saga_id)[0], "name", "outcome", "paused")
            return pipeline.execute()

        return [
            None if name is None else SagaHeader(saga=name, outcome=outcome, paused=bool(paused))
            for name, outcome, paused in self._store.read(command)
        ]
