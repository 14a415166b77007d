"""Others in a log: many sagas of which none is the one that is measured.

A few are brought by the log's own scripts to where they are wanted, and then copied: key by key, and place by place in
the sets of their shard. So a million are there within minutes, each as the scripts would leave it.
"""

import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from amends.log.owner import worker_name
from amends.log.saga_log import SagaLog
from benchmarks.growth.sagas import CROWD, ORDER_BYTES, load_of

Kind = Literal["live", "ended"]
KINDS: Final[tuple[Kind, ...]] = ("live", "ended")

RUNNING: Final = 100
"""So many of the live ones run: the processes of a large fleet."""
AT_ONCE: Final = 500
_MEASURED: Final = 2_000  # no run has more sagas
_HOURS: Final = 6 * 3600.0
_AGO: Final = 300_000  # ms
# As ``lua/dispatch_saga.lua`` has them, in ms: between two looks at a message of that age, and between those of a shard.
_LOOK: Final = 75_000
_LOOK_EACH: Final = 1_000
_ERROR: Final = '{"type":"ConnectionError","message":"the bank does not answer"}'
_OUTPUT: Final = '{"reference":"8f14e45f-ceea-467f-a8f3-1e2d5c0b9a77"}'
_PATHS: Final = [step.name for step in CROWD.itinerary.steps]
_INPUT: Final = load_of(0, ORDER_BYTES).model_dump_json()

# KEYS: of the original, then for each copy one in the place of each that is the original's own.
# ARGV: the original's id, how many of its keys are its own, ms by which the copies are spread in the set of what
# is due, which is the key after those; then the id of each copy.
_COPY: Final = """
local own, spread = tonumber(ARGV[2]), tonumber(ARGV[3])
local all = tonumber(ARGV[4])
local sets = {}
for at = own + 1, all do
  if redis.call('TYPE', KEYS[at]).ok == 'zset' then
    sets[#sets + 1] = {KEYS[at], redis.call('ZSCORE', KEYS[at], ARGV[1]), at == own + 1 and spread or 0}
  end
end
for k = 5, #ARGV do
  for at = 1, own do redis.call('COPY', KEYS[at], KEYS[all + (k - 5) * own + at]) end
  for _, set in ipairs(sets) do
    if set[2] then redis.call('ZADD', set[1], set[2] + math.random(0, set[3]), ARGV[k]) end
  end
end"""


@dataclass(frozen=True, kw_only=True)
class _Original:
    id: str
    spread: int  # ms


class Crowd:
    """The others in one log. Half of the live ones wait in a queue, half for an attempt that is hours away."""

    def __init__(self, log: SagaLog, kind: Kind) -> None:
        self._log = log
        self._store: Any = log._store  # noqa: SLF001 - keys are the store's to name
        self.kind = kind
        self._copy = self._store.client.register_script(_COPY)
        self._random = random.Random(1047)  # noqa: S311
        self._standing: list[str] = []
        self.size = 0

    def queued(self, size: int) -> int:
        """Tell how many messages wait with so many: one for each that is alive, as in life, and for those that are measured."""
        return size + _MEASURED if self.kind == "live" else 0

    def grow(self, size: int) -> None:
        """Let there be so many."""
        if not self.size and self.kind == "live":
            self._bring_running()
        self._spread_looks(size)
        for _shard, ids in self._by_shard(size):
            kinds = [self._ended] if self.kind == "ended" else [self._queued, self._waiting]
            half = -(-len(ids) // len(kinds))
            for bring, part in zip(kinds, (ids[:half], ids[half:]), strict=False):
                if part:
                    self._copy_all(bring(part[0], size), part[1:])
                if bring == self._queued:
                    self._standing += part
        self.size = size

    def _by_shard(self, size: int) -> Iterator[tuple[int, list[str]]]:
        first = self.size or (RUNNING if self.kind == "live" else 0)
        shards: dict[int, list[str]] = {}
        for n in range(first, size):
            saga_id = f"other-{self.kind}-{n}"
            shards.setdefault(self._store.shard_of(saga_id), []).append(saga_id)
        yield from shards.items()

    def _copy_all(self, original: _Original, ids: Sequence[str]) -> None:
        keys = self._store.keys_of(original.id)
        own = [at for at, key in enumerate(keys) if key.endswith(original.id)]
        assert own == list(range(len(own)))  # noqa: S101 - what the script relies on
        for first in range(0, len(ids), AT_ONCE):
            batch = ids[first : first + AT_ONCE]
            copies = [key for each in batch for key in self._store.keys_of(each)[: len(own)]]
            arguments = [original.id, len(own), original.spread, len(keys), *batch]
            self._copy(keys=[*keys, *copies], args=arguments)

    def _spread(self, size: int) -> int:
        a_shard: int = size // self._store.shards
        return max(_LOOK, a_shard * _LOOK_EACH)

    def _spread_looks(self, size: int) -> None:
        """Let those that stand in the queue be looked at as seldom as with so many."""
        now, spread = time.time() * 1000, self._spread(size)
        pipeline = self._store.client.pipeline(transaction=False)
        for saga_id in self._standing:
            at = round(now + self._random.uniform(0, spread))
            pipeline.zadd(self._store.due_key(self._store.shard_of(saga_id)), {saga_id: at})
        pipeline.execute()

    def _queued(self, saga_id: str, size: int) -> _Original:
        """Start one; its message was published a while ago, and is looked for now and then."""
        self._start(saga_id)
        self._store.client.hincrby(self._store.keys_of(saga_id)[0], "sent", -_AGO)
        return _Original(id=saga_id, spread=self._spread(size))

    def _waiting(self, saga_id: str, _size: int) -> _Original:
        """Let one wait for the next attempt at its third step."""
        self._start(saga_id)
        for path in _PATHS[:2]:
            self._do(saga_id, path)
        self._claim(saga_id, _PATHS[2])
        how: Any = {"token": "t", "error": _ERROR, "wait": _HOURS, "cost": "attempt"}
        self._log.retry_step(saga_id, _PATHS[2], unknown=True, **how)
        return _Original(id=saga_id, spread=round(_HOURS * 1000))

    def _ended(self, saga_id: str, _size: int) -> _Original:
        """Let one run to its end."""
        self._start(saga_id)
        for path in _PATHS:
            self._do(saga_id, path)
        return _Original(id=saga_id, spread=0)

    def _bring_running(self) -> None:
        """Let some run, in a process that lives: this one, which has to beat."""
        for n in range(RUNNING):
            saga_id = f"other-live-{n}"
            self._start(saga_id)
            self._claim(saga_id, _PATHS[0])

    def _start(self, saga_id: str) -> None:
        self._log.starts.start_sagas(CROWD.itinerary, [(saga_id, _INPUT)])

    def _claim(self, saga_id: str, path: str) -> None:
        owner = f"{worker_name()}:{os.getpid()}:"
        self._log.claim_step(saga_id, path, token="t", owner=owner, retries=0)  # noqa: S106

    def _do(self, saga_id: str, path: str) -> None:
        self._claim(saga_id, path)
        self._log.complete_step(saga_id, path, token="t", output=_OUTPUT, link="")  # noqa: S106
