"""Reads of one saga, and of the log as a whole."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from redis.exceptions import ResponseError

from amends.backend.cluster import node_of, replicas_in
from amends.definition.states import SagaStatus
from amends.log.answers import Itineraries
from amends.log.history import Event
from amends.log.queries.gauges import Readings
from amends.log.queries.paused import PausedSagas
from amends.log.queries.remembered_sagas import RememberedSaga, read_remembered, unknown_saga
from amends.log.record import open_fields
from amends.log.saga_state import Entry, Standing
from amends.log.store import Store


class Reads:
    """The reads of the log. They raise `LogUnavailable`."""

    def __init__(self, store: Store, definitions: Itineraries) -> None:
        self._store = store
        self._definitions = definitions

    def check_layout(self) -> None:
        """Look whether the log has the shards and the layout that the settings say, also if it was made anew meanwhile.

        Raises `ConfigurationError` if it has others.
        """
        self._store.has_shards(self._store.read_shards())

    def read_saga(self, saga_id: str) -> Entry:
        """Read a saga's present state. Raises `UnknownSaga`."""
        saga = self._store.keys_of(saga_id)[0]
        fields: dict[str, str] = self._store.read(lambda client: client.hgetall(saga))
        if not fields:
            raise unknown_saga(self._store, saga_id)
        return self._entry(saga_id, fields)

    def _entry(self, saga_id: str, fields: Mapping[str, str]) -> Entry:
        definitions = self._store.keys_of(saga_id)[3]
        digest, text = fields["definition"], ""
        if digest not in self._definitions:
            text = self._store.read(lambda client: client.hget(definitions, digest))
        itinerary = self._definitions.read(digest, text)
        return Entry(id=saga_id, itinerary=itinerary, fields=open_fields(fields))

    def read_sagas(self, saga_ids: Sequence[str]) -> list[Entry]:
        """Read the present states of those of these sagas that are there, in one round trip."""

        def command(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            for saga_id in saga_ids:
                pipeline.hgetall(self._store.keys_of(saga_id)[0])
            return pipeline.execute()

        found = zip(saga_ids, self._store.read(command) if saga_ids else (), strict=False)
        return [self._entry(saga_id, fields) for saga_id, fields in found if fields]

    def examine_saga(self, saga_id: str) -> Standing:
        """Read a saga's present state, its history, and its remaining records. Raises `UnknownSaga`."""
        said, *answer = self._store.call("examine_saga", saga_id, self._definitions.known())
        if said == "unknown":
            raise unknown_saga(self._store, saga_id)
        digest, text, *rest = answer
        return Standing.read(saga_id, self._definitions.read(digest, text), rest)

    def count_replicas(self, saga_id: str) -> int | None:
        """Return how many replicas follow the Redis that has a saga; None where it does not say."""
        saga = self._store.keys_of(saga_id)[0]

        def read(client: Any) -> int | None:
            try:
                return replicas_in(node_of(client, saga).info("replication"))
            except (
                ResponseError
            ):  # a hosted Redis may keep INFO to itself, and one in memory has none
                return None

        return self._store.read(read)

    def read_status(self, saga_id: str) -> SagaStatus:
        """Read a saga's status, also of one that was removed and is remembered. Raises `UnknownSaga`."""
        status = self._store.read(
            lambda client: client.hget(self._store.keys_of(saga_id)[0], "status")
        )
        if status is not None:
            return SagaStatus(status)
        if (past := self.read_remembered(saga_id)) is None:
            raise unknown_saga(self._store, saga_id)
        return past.status

    def read_remembered(self, saga_id: str) -> RememberedSaga | None:
        """Read what is remembered of a saga that was removed, None if nothing."""
        return read_remembered(self._store, saga_id)

    def read_history(self, saga_id: str) -> list[Event]:
        """Read every event of a saga, in order. Raises `UnknownSaga`."""
        texts = self._store.read(
            lambda client: client.lrange(self._store.keys_of(saga_id)[1], 0, -1)
        )
        if not texts:
            raise unknown_saga(self._store, saga_id)
        return [Event.from_json(text) for text in texts]

    def read_counters(self) -> dict[tuple[str, ...], int]:
        """Read the counters of all shards, added up, by the words of ``lua/transition.lua``."""
        store, total = self._store, Counter[tuple[str, ...]]()

        def read(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            for shard in range(store.shards):
                pipeline.hgetall(store.counters_key(shard))
            return pipeline.execute()

        for counts in store.read(read):
            for name, value in counts.items():
                total[tuple(name.split("|"))] += int(value)
        return dict(total)

    def read_paused(self) -> PausedSagas:
        """Read the paused sagas of the log."""
        return PausedSagas.read(self._store)

    def read_gauges(self) -> Readings:
        """Read the gauges of the log as a whole."""
        return Readings.read(self._store)
