"""What workers do for the log as a whole: take what is due, and remove what ended long ago."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence

from amends.definition.states import ENDED
from amends.log.itinerary_cache import Definitions
from amends.log.remaining import LOOK_AGAIN, Dispatched, read_dispatched
from amends.log.store import Store


class Maintenance:
    """The sagas of all shards, as sweeps and retention take them. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store, definitions: Definitions) -> None:
        self._store = store
        self._definitions = definitions

    def take_due(self, *, lease: float, limit: int) -> list[str]:
        """Take sagas that are due, at most `limit` of each shard, for `lease` seconds."""
        calls = [
            ([self._store.due_key(n)], [round(lease * 1000), limit])
            for n in range(self._store.shards)
        ]
        return [saga_id for ids in self._store.call_many("take_due", calls) for saga_id in ids]

    def look_at_sagas(
        self, saga_ids: Sequence[str], *, longest_wait: float, again: int = LOOK_AGAIN
    ) -> list[Dispatched | Exception]:
        """Look at many sagas in one round trip; one that cannot be looked at answers its error.

        What runs is due again in `again` seconds.
        """
        arguments = [self._definitions.known(), round(longest_wait * 1000), 1, again * 1000]
        calls = [(self._store.keys_of(saga_id), [saga_id, *arguments]) for saga_id in saga_ids]
        return [
            each if isinstance(each, Exception) else read_dispatched(self._definitions, each)
            for each in self._store.try_many("dispatch_saga", calls)
        ]

    def put_back(self, saga_ids: Iterable[str]) -> None:
        """Let sagas that were taken be due now, where they are alive still."""
        self._store.put_back(saga_ids)

    def hasten_sagas(self, count: int, *, beyond: float) -> int:
        """Draw so many of the sagas alive, and let those be due now that are not within `beyond` seconds; answers how many."""
        drawn = Counter(random.choices(range(self._store.shards), k=count))  # noqa: S311
        calls = [
            ([self._store.due_key(shard)], [some, round(beyond * 1000)])
            for shard, some in drawn.items()
        ]
        return sum(self._store.call_many("hasten_sagas", calls))

    def count_live(self) -> int:
        """Count the sagas that a sweep may come to look at."""
        return self._store.count_due()

    def read_ended(self, *, ago: float, limit: int) -> list[str]:
        """Read the ids of sagas that ended at least `ago` seconds ago, at most `limit` of each shard and end."""
        return self._store.read_index(ENDED, ago=ago, limit=limit)

    def remove_sagas(self, saga_ids: Iterable[str], *, kept_for: float) -> int:
        """Remove those of these sagas that ended more than `kept_for` seconds ago; answers how many."""
        calls = [
            (self._store.keys_of(saga_id), [saga_id, round(kept_for * 1000)])
            for saga_id in saga_ids
        ]
        return sum(self._store.call_many("remove_saga", calls))
