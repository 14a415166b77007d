"""Sagas that were removed, as far as the log remembers them by their ids."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from amends.definition.states import SagaStatus
from amends.errors import UnknownSaga
from amends.log.store import Store

_ENDS: Final = dict(zip("cu", (SagaStatus.COMPLETED, SagaStatus.COMPENSATED), strict=True))
_UNITS: Final = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


@dataclass(frozen=True, kw_only=True)
class RememberedSaga:
    """What the log knows of a saga after its retention, for `amends_remember`."""

    id: str
    saga: str  #: Its definition's name.
    status: SagaStatus
    outcome: str
    ended_at: float  #: Seconds since 1970 by the log's clock.

    @classmethod
    def read(cls, saga_id: str, text: str) -> Self:
        """Read what ``lua/remove_saga.lua`` wrote of it."""
        saga, how, ended, _, outcome = text.split("|", 4)
        status = _ENDS[how]
        what = outcome or status.value
        return cls(id=saga_id, saga=saga, status=status, outcome=what, ended_at=float(ended))

    def __str__(self) -> str:
        day = datetime.fromtimestamp(self.ended_at, UTC)
        return f"ended as {self.outcome} at {day:%Y-%m-%d %H:%M:%S} UTC"


def read_remembered(store: Store, saga_id: str) -> RememberedSaga | None:
    """Return what a log remembers of a saga that was removed, None if nothing. Raises `LogUnavailable`."""
    key, _ = store.remembered_keys(store.shard_of(saga_id))
    text: Any = store.read(lambda client: client.hget(key, saga_id))
    return RememberedSaga.read(saga_id, text) if text else None


def unknown_saga(store: Store, saga_id: str) -> UnknownSaga:
    """Return the error of a saga that is not in a log: it says what that remembers, or how long sagas are kept."""
    found = read_remembered(store, saga_id)
    kept = "" if store.kept_for is None else _duration(store.kept_for)
    rule = f"sagas are kept for {kept} after their end (amends_retention)" if kept else ""
    if found is not None:
        removed = f"saga {saga_id!r} {found}, and was removed"
        return UnknownSaga(saga_id, f"{removed}: {rule}" if rule else removed)
    unheard = f"there is no saga {saga_id!r} in the log: {rule}; is amends_backend the right one?"
    return UnknownSaga(saga_id, unheard if rule else "")


def _duration(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:g} s"
