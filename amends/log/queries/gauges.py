"""Gauges of the log as a whole: due sagas, the oldest of each status, memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Self

from redis.exceptions import ResponseError

from amends.backend.cluster import primaries_of
from amends.definition.states import LIVE, SagaStatus
from amends.log.store import Store


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Memory of Redis in bytes. A `limit` of 0 is no limit."""

    used: int
    limit: int


@dataclass(frozen=True, kw_only=True)
class Readings:
    """The gauges at one moment; times are seconds."""

    due: int  #: Sagas due for a sweep.
    sweep_lag: float  #: Since the first of them is due, 0 if none is.
    #: Age in each live status of the saga longest in it, 0 if none is.
    oldest: Mapping[SagaStatus, float]
    memory: Memory | None  #: None if Redis does not tell.

    @classmethod
    def read(cls, store: Store) -> Self:
        """Read the gauges in a fixed number of round trips. Raises `LogUnavailable`."""
        seconds, micros = store.read(lambda client: client.time())
        now = seconds * 1000 + micros // 1000
        due, first_due, *first_moves = store.read(lambda client: _ask_shards(client, store, now))
        return cls(
            due=due,
            sweep_lag=_age(first_due, now),
            oldest={status: _age(at, now) for status, at in zip(LIVE, first_moves, strict=True)},
            memory=_ask_memory(store),
        )


def _ask_shards(client: Any, store: Store, now: int) -> list[Any]:
    """Return the number of due sagas, then the lowest scores: of due sagas, and of each live status."""
    pipeline = client.pipeline(transaction=False)
    for shard in range(store.shards):
        due = store.due_key(shard)
        pipeline.zcount(due, "-inf", now)
        for key in (due, *(store.index_key(shard, status) for status in LIVE)):
            pipeline.zrange(key, 0, 0, withscores=True)
    answers = pipeline.execute()
    width = 2 + len(LIVE)
    counts, *firsts = (answers[k::width] for k in range(width))
    return [
        sum(counts),
        *(min((at for [(_, at)] in filter(None, each)), default=None) for each in firsts),
    ]


def _ask_memory(store: Store) -> Memory | None:
    """Return the memory of Redis; of a cluster, that of the fullest node."""

    def ask(client: Any) -> Any:
        try:
            return [node.info("memory") for node in primaries_of(client)]
        except ResponseError:  # a hosted Redis may keep INFO to itself, and one in memory has none
            return []

    memories = [
        Memory(used=each["used_memory"], limit=each["maxmemory"]) for each in store.read(ask)
    ]
    return max(
        memories, key=lambda each: (each.used / (each.limit or inf), each.used), default=None
    )


def _age(at: float | None, now: int) -> float:
    return 0.0 if at is None else max(0.0, (now - at) / 1000)
