"""The paused sagas of the log: a sorted set in each shard, which a pause goes into.

A worker of an earlier release pauses sagas without it, and an end or a resume leaves an entry behind. So each entry is
looked up before it is told, and the shard counts the pauses that its set knows of, beside those that happened: where there are
more of these, a worker looks through the shard's live sagas.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from amends.definition.states import ENDED, LIVE
from amends.log.store import Store

MOST: Final = 10_000
"""Paused sagas that are looked at, those that are so longest."""
BATCH: Final = 1_000
"""Sagas that one request asks for."""
_NOTED: Final = "paused|noted"
_PAUSES: Final = "event|saga.paused|"


@dataclass(frozen=True, kw_only=True)
class PausedSaga:
    """A saga that an operator paused; times are seconds."""

    id: str
    saga: str
    age: float  #: Since the pause.
    #: Until its deadline, which comes while it is paused, too; None if it has none ahead.
    time_left: float | None


@dataclass(frozen=True, kw_only=True)
class PausedSagas:
    """The paused sagas of a log, those first that are so longest."""

    sagas: Sequence[PausedSaga]
    is_cut: bool  #: Whether there are more than were looked at.
    is_complete: (
        bool  #: Whether none was paused by an earlier release, and not found by a worker yet.
    )

    @property
    def oldest(self) -> float:
        """Seconds since the first pause, 0 if no saga is paused."""
        return max((each.age for each in self.sagas), default=0.0)

    @property
    def next_deadline(self) -> PausedSaga | None:
        """The one whose deadline comes first; None if none has one."""
        ahead = [each for each in self.sagas if each.time_left is not None]
        return min(ahead, key=lambda each: each.time_left or 0.0, default=None)

    @classmethod
    def read(cls, store: Store) -> Self:
        """Read them in a fixed number of round trips. Raises `LogUnavailable`."""
        now, entries, counters = read_shards(store)
        entries.sort(key=lambda entry: entry[1])
        ids = [saga_id for saga_id, _ in entries[:MOST]]
        return cls(
            sagas=read_paused(store, ids, now=now),
            is_cut=len(entries) > MOST,
            is_complete=all(pauses(each) == noted_pauses(each) for each in counters),
        )


def read_paused(store: Store, ids: Sequence[str], *, now: float) -> list[PausedSaga]:
    """Read those of these sagas that are paused. Raises `LogUnavailable`.

    now: the time by the log's clock, in seconds since 1970.
    """
    fields = ("name", "status", "paused", "deadline", "direction")

    def ask(client: Any) -> Any:
        pipeline = client.pipeline(transaction=False)
        for saga_id in ids:
            pipeline.hmget(store.keys_of(saga_id)[0], fields)
        return pipeline.execute()

    found = []
    for saga_id, (name, status, paused, deadline, direction) in zip(
        ids, store.read(ask) if ids else (), strict=True
    ):
        if not paused or status in ENDED:
            continue
        is_ahead = deadline and direction == "forward"
        found.append(
            PausedSaga(
                id=saga_id,
                saga=name,
                age=max(0.0, now - int(paused) / 1000),
                time_left=max(0.0, int(deadline) / 1000 - now) if is_ahead else None,
            )
        )
    return found


def read_shards(store: Store) -> tuple[float, list[tuple[str, float]], list[Mapping[str, str]]]:
    """Return the time, the entries of all shards, and the counters of each."""

    def ask(client: Any) -> Any:
        seconds, micros = client.time()
        pipeline = client.pipeline(transaction=False)
        for shard in range(store.shards):
            pipeline.zrange(store.paused_key(shard), 0, MOST, withscores=True)
            pipeline.hgetall(store.counters_key(shard))
        return seconds + micros / 1_000_000, pipeline.execute()

    now, answers = store.read(ask)
    return now, [entry for shard in answers[::2] for entry in shard], answers[1::2]


def noted_pauses(counts: Mapping[str, str]) -> int:
    """Return how many pauses the set of a shard knows of, by what the shard counts."""
    return int(counts.get(_NOTED, 0))


def pauses(counts: Mapping[str, str]) -> int:
    """Return how many pauses there were, by what a shard counts."""
    return sum(int(count) for name, count in counts.items() if name.startswith(_PAUSES))


def paused_of(store: Store, shard: int) -> list[str]:
    """Look through the live sagas of a shard for those that are paused.

    The indexes are read whole: of a part of them, one may move to the part that was read.
    """

    def ask(client: Any) -> Any:
        pipeline = client.pipeline(transaction=False)
        for status in LIVE:
            pipeline.zrange(store.index_key(shard, status), 0, -1)
        return pipeline.execute()

    ids = [saga_id for index in store.read(ask) for saga_id in index]
    parts = (ids[k : k + BATCH] for k in range(0, len(ids), BATCH))
    return [each.id for part in parts for each in read_paused(store, part, now=0.0)]
