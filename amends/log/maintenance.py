"""Maintenance by the workers: due sagas for the sweep, ended ones for retention."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, compress
from typing import Any

from redis.exceptions import ResponseError

from amends.backend.cluster import node_of
from amends.backend.redis_errors import code_of
from amends.definition.states import ENDED, LIVE, SagaStatus
from amends.errors import LogUnavailable
from amends.log.answers import LOOK_AGAIN, Itineraries
from amends.log.in_flight import Dispatched, read_dispatched
from amends.log.queries import paused
from amends.log.store import Store, redis_now


class Maintenance:
    """Sagas of all shards, for sweep and retention. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store, definitions: Itineraries) -> None:
        self._store = store
        self._definitions = definitions

    def take_due(self, *, lease: float, limit: int) -> list[str]:
        """Lease due sagas to this sweep, for `lease` seconds: of each shard at most `limit`, and as many that wait in the log.

        Those of a cluster's node that is away are left out.
        """
        calls = [
            ([self._store.due_key(n)], [round(lease * 1000), limit])
            for n in range(self._store.shards)
        ]
        if not self._store.is_spread:
            return [saga_id for ids in self._store.call_many("take_due", calls) for saga_id in ids]
        answers = self._store.try_many("take_due", calls)
        taken = [ids for ids in answers if not isinstance(ids, LogUnavailable)]
        for each in taken or answers:
            if isinstance(each, Exception):
                raise each
        return [saga_id for ids in taken for saga_id in ids]

    def look_at_sagas(
        self, saga_ids: Sequence[str], *, longest_wait: float, again: int = LOOK_AGAIN
    ) -> list[Dispatched | Exception]:
        """Return what remains of each saga, or the error of one that cannot be read, in one round trip.

        longest_wait: seconds that a message may wait for its record.
        again: seconds until a running record is due again.
        """
        arguments = [self._definitions.known(), round(longest_wait * 1000), 1, again * 1000]
        calls = [(self._store.keys_of(saga_id), [saga_id, *arguments]) for saga_id in saga_ids]
        return [self._dispatched(each) for each in self._store.try_many("dispatch_saga", calls)]

    def _dispatched(self, answer: Any) -> Dispatched | Exception:
        if isinstance(answer, Exception):
            return answer
        try:
            return read_dispatched(self._definitions, answer)
        except Exception as error:  # noqa: BLE001 - what cannot be read of one saga stops no other
            return error

    def put_back(self, saga_ids: Iterable[str]) -> None:
        """End the lease of these sagas: those still alive are due now."""
        self._make_due(saga_ids)

    def hasten_sagas(self, count: int, *, beyond: float) -> int:
        """Draw `count` live sagas; those not due within `beyond` seconds become due now. Returns how many did."""
        drawn = Counter(random.choices(range(self._store.shards), k=count))  # noqa: S311
        calls = [
            ([self._store.due_key(shard)], [some, round(beyond * 1000), random.getrandbits(30)])
            for shard, some in drawn.items()
        ]
        return sum(self._store.call_many("hasten_sagas", calls))

    def hasten_parked(self, *, limit: int) -> None:
        """Make parked sagas due now, of the longest stuck `limit` of each shard.

        A sweep of an earlier release, which knows no parked ones, has taken their due time.
        """
        stuck = self._store.read_index([SagaStatus.STUCK], ago=0.0, limit=limit)

        def read(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            for saga_id in stuck:
                pipeline.hexists(self._store.keys_of(saga_id)[0], "parked")
            return pipeline.execute()

        self._make_due(compress(stuck, self._store.read(read)), revive=True)

    def _make_due(self, saga_ids: Iterable[str], *, revive: bool = False) -> None:
        """Make these sagas due now; those without a due time only to `revive` them."""

        def make_due(client: Any) -> None:
            now = redis_now(client)
            pipeline = client.pipeline(transaction=False)
            for saga_id in saga_ids:
                due = self._store.due_key(self._store.shard_of(saga_id))
                pipeline.zadd(due, {saga_id: now}, xx=not revive, lt=True)
            pipeline.execute()

        self._store.reach(make_due)

    def count_live(self) -> int:
        """Count the sagas that have a due time."""

        def count(client: Any) -> int:
            pipeline = client.pipeline(transaction=False)
            for shard in range(self._store.shards):
                pipeline.zcard(self._store.due_key(shard))
            return sum(pipeline.execute())

        counted: int = self._store.read(count)
        return counted

    def read_ended(self, *, ago: float, limit: int, beyond: int = 0) -> list[str]:
        """Return ids of sagas that ended at least `ago` seconds ago, at most `limit` of each shard and status.

        beyond: how many of each are passed by, the oldest.
        """
        return self._store.read_index(ENDED, ago=ago, limit=limit, beyond=beyond)

    def remove_sagas(
        self, saga_ids: Iterable[str], *, kept_for: float, remembers: bool = False
    ) -> int:
        """Remove those of these sagas that ended more than `kept_for` seconds ago. Returns how many.

        A child is kept while its parent is alive, which may turn it back.

        remembers: whether their ids are remembered, see `forget_ids`.
        """
        ids = list(saga_ids)
        how = kept_for, remembers
        answers = self._remove(ids, *how, is_child=False)
        told = zip(ids, answers, strict=True)
        parents = {each: parent for each, parent in told if isinstance(parent, str)}
        alive = self._alive(set(parents.values()))
        orphans = [each for each, parent in parents.items() if parent not in alive]
        removed = [*answers, *self._remove(orphans, *how, is_child=True)]
        return sum(each for each in removed if isinstance(each, int))

    def kept_by_none(self, saga_ids: Sequence[str]) -> list[str]:
        """Return those of these ended sagas that no living parent keeps, so that they never change again."""

        def read(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            for saga_id in saga_ids:
                pipeline.hget(self._store.keys_of(saga_id)[0], "parent")
            return pipeline.execute()

        found = self._store.read(read) if saga_ids else []
        parents = [(parent or "").partition("|")[0] for parent in found]
        alive = self._alive({*parents} - {""})
        told = zip(saga_ids, parents, strict=True)
        return [saga_id for saga_id, parent in told if parent not in alive]

    def _remove(
        self,
        saga_ids: Sequence[str],
        kept_for: float,
        remembers: bool,  # noqa: FBT001 - as `remove_sagas` has it
        *,
        is_child: bool,
    ) -> list[int | str]:
        arguments = [round(kept_for * 1000), int(is_child), int(remembers)]
        calls: list[tuple[list[str], list[Any]]] = [
            (self._store.removal_keys(saga_id), [saga_id, *arguments]) for saga_id in saga_ids
        ]
        return self._store.call_many("remove_saga", calls)

    def forget_ids(self, *, after: float, limit: int) -> int:
        """Forget ids of sagas that were removed, and ended at least `after` seconds ago: of each shard at most `limit`, the oldest.

        Returns how many were forgotten.
        """
        arguments = [round(after * 1000), limit]
        calls: list[tuple[list[str], list[Any]]] = [
            ([*self._store.remembered_keys(n)], arguments) for n in range(self._store.shards)
        ]
        return sum(self._store.call_many("forget_ids", calls))

    def _alive(self, saga_ids: Iterable[str]) -> set[str]:
        """Return those of these sagas that have not ended, or that are children which one that has not may turn back."""
        found: dict[str, tuple[str, str]] = {}  # each one's status, and its parent
        wanted = set(saga_ids)
        asked = sorted(wanted)
        while asked:

            def read(client: Any, asked: Sequence[str] = tuple(asked)) -> Any:
                pipeline = client.pipeline(transaction=False)
                for saga_id in asked:
                    pipeline.hmget(self._store.keys_of(saga_id)[0], "status", "parent")
                return pipeline.execute()

            for saga_id, (status, parent) in zip(asked, self._store.read(read), strict=True):
                found[saga_id] = status, (parent or "").partition("|")[0]
            above = {parent for status, parent in found.values() if status == SagaStatus.COMPLETED}
            asked = sorted(above - found.keys() - {""})

        def lives(saga_id: str) -> bool:
            status, parent = found.get(saga_id, ("", ""))
            return status in LIVE or (status == SagaStatus.COMPLETED and lives(parent))

        return {each for each in wanted if lives(each)}

    def keep_paused(self) -> None:
        """Keep the sets of paused sagas true: drop what is paused no more, and find what an earlier release paused."""
        _, entries, counters = paused.read_shards(self._store)
        self.note_paused([saga_id for saga_id, _ in entries[: paused.BATCH]])
        for shard, counts in enumerate(counters):
            pauses = paused.pauses(counts)
            if paused.noted_pauses(counts) != pauses:
                self.note_paused(paused.paused_of(self._store, shard))
                self.note_pauses(shard, pauses=pauses)

    def note_paused(self, saga_ids: Sequence[str]) -> None:
        """Put each of these sagas into its shard's set of paused ones, or take it out."""
        store = self._store
        for k in range(0, len(saga_ids), paused.BATCH):
            calls: list[tuple[list[str], list[Any]]] = [
                ([store.keys_of(each)[0], store.paused_key(store.shard_of(each))], [each])
                for each in saga_ids[k : k + paused.BATCH]
            ]
            store.call_many("note_paused", calls)

    def note_pauses(self, shard: int, *, pauses: int) -> None:
        """Note how many pauses a shard's set knows of: as many as there were before its live sagas were looked at."""
        self._store.call_many("note_pauses", [([self._store.counters_key(shard)], [pauses])])

    def denied_commands(self) -> list[str]:
        """Return the commands of the scripts that this log's user may not run. Nothing is left of the trial."""
        key_of = self._store.due_key
        nodes = {
            node_of(self._store.client, key_of(n)): key_of(n) for n in range(self._store.shards)
        }
        calls: list[tuple[list[str], list[Any]]] = [
            ([f"{key}:trial:{n}" for n in range(5)], []) for key in nodes.values()
        ]
        refusals = chain.from_iterable(self._store.call_many("try_commands", calls))
        # Another code is none of a right: a replica, a Redis that is full.
        codes = {command: code_of(ResponseError(said)) for command, said in refusals}
        return sorted(each for each, code in codes.items() if code in ("", "ERR", "NOPERM"))
