"""Handing ended sagas to an archive: whose turn it is, what is handed, and what came of it."""

from collections.abc import Iterable, Sequence
from typing import Any

from amends.log.archiving.state import ArchiveState, EndedSaga
from amends.log.store import Store


class Archiving:
    """The log as the archive's worker needs it. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take_archive_turn(self, token: str, *, lasts: float) -> bool:
        """Take the turn to hand sagas to the archive, which one worker has at a time. Returns whether it is this one's.

        token: of the worker; repeated under it, the turn lasts on.
        lasts: seconds from now, after which another worker may take it.
        """
        return bool(self._call("take_archive_turn", token, round(lasts * 1000)))

    def note_archived(self, token: str, *, sagas: int, error: str = "") -> None:
        """Note that the archive took so many sagas, or why it did not, and end the turn in that case."""
        self._call("note_archived", token, sagas, error)

    def end_archive_turn(self, token: str) -> None:
        """Leave the turn to another worker."""
        self._call("end_archive_turn", token)

    def _call(self, name: str, *arguments: Any) -> Any:
        return self._store.call_many(name, [([self._store.archive_key], [*arguments])])[0]

    def read_archive_state(self) -> ArchiveState:
        """Read how the archive has done."""
        key = self._store.archive_key
        now, (fields,) = self._store.read_with_time(key, lambda pipeline: pipeline.hgetall(key))
        return ArchiveState.read(now, fields)

    def read_ended_sagas(self, saga_ids: Sequence[str]) -> list[EndedSaga]:
        """Read ended sagas as they are in the log, in two round trips."""
        store = self._store

        def read(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            for saga_id in saga_ids:
                saga, history = store.own_keys(store.shard_of(saga_id), saga_id)
                pipeline.hgetall(saga)
                pipeline.lrange(history, 0, -1)
            return pipeline.execute()

        found = store.read(read) if saga_ids else []
        fields, events = found[::2], found[1::2]
        plans = self._read_plans(
            (store.shard_of(saga_id), each.get("definition", ""))
            for saga_id, each in zip(saga_ids, fields, strict=True)
        )
        told = zip(saga_ids, fields, events, plans, strict=True)
        return [EndedSaga(id=i, fields=f, events=e, itinerary=p) for i, f, e, p in told]

    def _read_plans(self, wanted: Iterable[tuple[int, str]]) -> list[str]:
        """Read definitions by their shards and digests, each once; '' for one that is not there."""
        asked = list(wanted)
        each_once = list(dict.fromkeys(asked))

        def read(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            for shard, digest in each_once:
                pipeline.hget(self._store.definitions_key(shard), digest)
            return pipeline.execute()

        found = dict(zip(each_once, self._store.read(read) if asked else [], strict=True))
        return [found[each] or "" for each in asked]
