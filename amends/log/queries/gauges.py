"""How the log as a whole stands: what waits, for how long, and how its Redis does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from redis.exceptions import ResponseError

from amends.definition.states import LIVE, SagaStatus
from amends.log.store import Store


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What Redis uses and may use, in bytes; a `limit` of 0 is none."""

    used: int
    limit: int


@dataclass(frozen=True, kw_only=True)
class Readings:
    """The log at one moment; times are seconds.

    So many sagas are `due` for a sweep, the first of them since `sweep_lag`. `oldest` is how long the one that came
    first to an unfinished status is there, 0 where none is. `memory` is None where Redis does not say.
    """

    due: int
    sweep_lag: float
    oldest: Mapping[SagaStatus, float]
    memory: Memory | None

    @classmethod
    def read(cls, store: Store) -> Self:
        """Read it, in as many round trips whatever is in the log. Raises `LogUnavailable`."""
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
    """Answer how many are due, then the lowest scores: of the due sagas, and of each unfinished status."""
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
    try:
        told = store.read(lambda client: client.info("memory"))
    except ResponseError:  # a hosted Redis may keep INFO to itself, and one in memory has none
        return None
    return Memory(used=told["used_memory"], limit=told["maxmemory"])


def _age(at: float | None, now: int) -> float:
    return 0.0 if at is None else max(0.0, (now - at) / 1000)
