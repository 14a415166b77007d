"""Transitions that the saga log acknowledged and then lost: in a failover to a replica that lagged, or in a restart."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import compress
from typing import Any, Final, Self

from pydantic_core import from_json, to_json

from amends.backend.cluster import primaries_of
from amends.log.store import Store, redis_now

_MOST_KEPT: Final = 10_000
_KEPT_FOR: Final = 7 * 86_400  # seconds after the last one was found
_AT_ONCE: Final = 200  # histories of a request
_EVENT: Final = re.compile(r'\{"at":(\d+),"name":"([^"]+)"(?:,"record":"([^"]+)")?')
_START: Final = "saga.started"
_REPEATED: Final = frozenset(
    {
        *("step.started", "step.completed", "step.retrying", "step.failed", "step.switching"),
        *("step.late", "step.stuck", "step.unregistered", "saga.stuck", "saga.finished"),
    }
)


@dataclass(frozen=True)
class Acknowledged:
    """A transition that a process was told of: the saga's id, and its first event as JSON, perhaps cut short."""

    saga_id: str
    event: str


@dataclass(frozen=True, kw_only=True)
class LostWrite:
    """A transition that is missing in the log, named by its first event."""

    saga_id: str
    name: str  #: Of the event.
    record: str | None  #: Path of the record it is about; None for the saga itself.
    at: float  #: Seconds since 1970 by the log's clock.

    @classmethod
    def of(cls, acknowledged: Acknowledged) -> Self:
        """Read what was acknowledged."""
        found = _EVENT.match(acknowledged.event)
        at, name, record = found.groups() if found else ("0", "unknown", None)
        return cls(saga_id=acknowledged.saga_id, name=name, record=record, at=int(at) / 1000)

    @property
    def needs_check(self) -> bool:
        """Whether nothing repeats it: a start, an act of a person, a compensation. A lost step is done again under its key."""
        return self.name not in _REPEATED


class LostWrites:
    """What the log has lost, and the search for it. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read_servers(self) -> frozenset[str]:
        """Return the run ids of the log's primaries: another set after each failover and each restart."""

        def read(client: Any) -> frozenset[str]:
            return frozenset(map(_run_id, primaries_of(client)))

        return self._store.reach(read)

    def find(self, acknowledged: Iterable[Acknowledged], *, kept_for: float) -> list[LostWrite]:
        """Return which of these transitions the log lacks.

        kept_for: seconds after which an ended saga leaves the log; what is older is passed over.
        """
        since = self._store.reach(redis_now) / 1000 - kept_for
        by_saga: dict[str, list[str]] = defaultdict(list)
        for each in acknowledged:
            by_saga[each.saga_id].append(each.event)
        ids, found = list(by_saga), []
        for begin in range(0, len(ids), _AT_ONCE):
            some = ids[begin : begin + _AT_ONCE]
            for saga_id, history in zip(some, self._read_histories(some), strict=True):
                missing = [each for each in by_saga[saga_id] if not _has(history, each)]
                found += [LostWrite.of(Acknowledged(saga_id, each)) for each in missing]
        return [each for each in found if each.at > since]

    def note(self, lost: Sequence[LostWrite]) -> None:
        """Keep these for :meth:`read`, for a week and at most 10,000 in all; one that is kept already stays one."""
        if lost:
            self._store.reach(lambda client: self._keep(client, lost, redis_now(client)))

    def note_unknown(self, saga_id: str) -> None:
        """Keep that a saga was started, as a message or a caller says, and that the log does not have it."""

        def note(client: Any) -> None:
            now = redis_now(client)
            lost = LostWrite(saga_id=saga_id, name=_START, record=None, at=now / 1000)
            self._keep(client, [lost], now)

        self._store.reach(note)

    def _keep(self, client: Any, lost: Sequence[LostWrite], now: int) -> None:
        key = self._store.lost_key
        members = {to_json(asdict(each)).decode(): now for each in lost}
        pipeline = client.pipeline(transaction=False)
        pipeline.zadd(key, members, nx=True)
        pipeline.zremrangebyrank(key, 0, -_MOST_KEPT - 1)
        pipeline.expire(key, _KEPT_FOR)
        pipeline.execute()

    def read(self, *, kept_for: float, started: Sequence[str] = ()) -> list[LostWrite]:
        """Return what is known to be lost, in the order of the transitions.

        Of a saga that is not there its start alone, however much of it was lost; none of one that was started again.

        kept_for: seconds after which an ended saga leaves the log; what is older may have left it so.
        started: ids of sagas that were started, of which the log may know nothing.
        """
        texts: list[str] = self._store.read(
            lambda client: client.zrange(self._store.lost_key, 0, -1)
        )
        found = [LostWrite(**from_json(each)) for each in texts]
        if not found and not started:
            return []
        now = self._store.reach(redis_now) / 1000
        found += [LostWrite(saga_id=each, name=_START, record=None, at=now) for each in started]
        present = self._present([each.saga_id for each in found])
        kept: dict[LostWrite, None] = {}
        starts: set[str] = set()
        for each in sorted(found, key=lambda each: each.at):
            is_gone = each.saga_id not in present and each.at > now - kept_for
            if not is_gone and each.name != _START:
                kept[each] = None
            elif each.saga_id not in present | starts:
                starts.add(each.saga_id)
                kept[replace(each, name=_START, record=None)] = None
        return list(kept)

    def _present(self, saga_ids: Sequence[str]) -> set[str]:
        """Return those of these sagas that the log has, or remembers as removed."""
        found: set[str] = set()
        store = self._store
        for begin in range(0, len(saga_ids), _AT_ONCE):
            some = saga_ids[begin : begin + _AT_ONCE]

            def read(client: Any, some: Sequence[str] = some) -> list[bool]:
                pipeline = client.pipeline(transaction=False)
                for saga_id in some:
                    pipeline.exists(store.keys_of(saga_id)[0])
                    pipeline.hexists(store.remembered_keys(store.shard_of(saga_id))[0], saga_id)
                answers = pipeline.execute()
                return [bool(a or b) for a, b in zip(answers[::2], answers[1::2], strict=True)]

            found.update(compress(some, store.read(read)))
        return found

    def _read_histories(self, saga_ids: Sequence[str]) -> list[list[str]]:
        def read(client: Any) -> list[list[str]]:
            pipeline = client.pipeline(transaction=False)
            for saga_id in saga_ids:
                pipeline.lrange(self._store.keys_of(saga_id)[1], 0, -1)
            histories: list[list[str]] = pipeline.execute()
            return histories

        return self._store.read(read)


def _run_id(client: Any) -> str:
    return str(client.info("server").get("run_id"))  # a hosted Redis may keep it to itself


def _has(history: Sequence[str], event: str) -> bool:
    """Tell whether a history has an event, or a later one that stands for it too."""
    if any(each.startswith(event) for each in history):
        return True
    lost = LostWrite.of(Acknowledged("", event))
    folded = (LostWrite.of(Acknowledged("", each)) for each in history if '"first_at":' in each)
    return any(
        (each.name, each.record) == (lost.name, lost.record) and each.at >= lost.at
        for each in folded
    )
