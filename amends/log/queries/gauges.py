"""Gauges of the log as a whole: due sagas, the oldest of each status, memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Self

from redis.exceptions import ResponseError

from amends.backend.cluster import primaries_of
from amends.backend.script_constants import TIMED
from amends.definition.states import LIVE, SagaStatus
from amends.log.archiving.state import ArchiveState
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
    #: Sagas that wait in the log, for signals or a time, and do nothing else.
    waiting: int
    remembered: int  #: Ids of sagas that were removed.
    archive: ArchiveState
    #: Age in each live status of the saga longest in it, 0 if none is; but for those that wait in the log or begin later.
    oldest: Mapping[SagaStatus, float]
    memory: Memory | None  #: None if Redis does not tell.

    @classmethod
    def read(cls, store: Store) -> Self:
        """Read the gauges in a fixed number of round trips. Raises `LogUnavailable`."""
        seconds, micros = store.read(lambda client: client.time())
        now = seconds * 1000 + micros // 1000
        archive, due, first_due, waiting, remembered, *first_moves = store.read(
            lambda client: _ask_shards(client, store, now)
        )
        return cls(
            due=due,
            sweep_lag=_age(first_due, now),
            waiting=waiting,
            remembered=remembered,
            archive=ArchiveState.read(now / 1000, archive),
            oldest={status: _age(at, now) for status, at in zip(LIVE, first_moves, strict=True)},
            memory=_ask_memory(store),
        )


def _ask_shards(client: Any, store: Store, now: int) -> list[Any]:
    """Return how the archive does, the number of due sagas and their lowest score, how many wait in the log, how many are remembered, and the lowest score of each live status."""
    pipeline = client.pipeline(transaction=False)
    for shard in range(store.shards):
        due = store.due_key(shard)
        for base in (0, TIMED):  # those that wait in the log are apart
            pipeline.zcount(due, base, base + now)
            pipeline.zrangebyscore(due, base, base + now, 0, 1, withscores=True)
        pipeline.zcount(store.index_key(shard, SagaStatus.RUNNING), TIMED, "+inf")
        pipeline.llen(store.remembered_keys(shard)[1])
        for status in LIVE:  # of a saga that waits in the log the score is far ahead, its age 0
            pipeline.zrange(store.index_key(shard, status), 0, 0, withscores=True)
    pipeline.hgetall(store.archive_key)
    *answers, archive = pipeline.execute()
    width = 6 + len(LIVE)
    each = (answers[k::width] for k in range(width))
    due, first, timed, first_timed, waiting, remembered, *firsts = each
    lowest = [_lowest(each) for each in (first, first_timed, *firsts)]
    if lowest[1] is not None:
        lowest[1] -= TIMED
    first_due = min((at for at in lowest[:2] if at is not None), default=None)
    return [archive, sum(due) + sum(timed), first_due, sum(waiting), sum(remembered), *lowest[2:]]


def _lowest(shards: list[Any]) -> Any:
    return min((at for [(_, at)] in filter(None, shards)), default=None)


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
