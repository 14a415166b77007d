"""Names of the log's keys.

A saga's keys share a hash tag, ``{<shard>}``, with the sets of its shard: each transition is one script on one slot.
All begin with ``amends:``, or with ``amends:<namespace>:``, so that several logs may share a Redis.
"""

from collections.abc import Sequence
from functools import cache
from typing import Final
from zlib import crc32

from amends.definition.states import SagaStatus
from amends.errors import ConfigurationError

LAYOUT: Final = 1
"""The newest layout of a log that this release reads: its keys, and the fields that every script reads."""


class Keys:
    """The keys of a log in so many shards, under a namespace if it has one."""

    def __init__(self, shards: int, namespace: str | None = None) -> None:
        self.shards = shards
        self._root = f"amends:{namespace}:" if namespace else "amends:"
        self.shards_key = f"{self._root}shards"
        self.workers_key = f"{self._root}{{workers}}"
        self.profiles_key = f"{self._root}{{profiles}}"
        self.shared_keys = cache(self._shared_keys)

    def has_shards(self, stored: str | None) -> bool:
        """Return whether a log says how many shards it has, as one does from its first saga or worker on.

        A blank and its layout follow the number, but for layout 1: releases that know no layout refuse such a log too.

        Raises `ConfigurationError` if these are not as many as the keys are for, or if only a newer release reads its layout.
        """
        if stored is None:
            return False
        shards, _, layout = stored.partition(" ")
        if layout.isdecimal() and int(layout) > LAYOUT:
            raise ConfigurationError(
                f"the saga log has layout {layout}, which a newer release of amends wrote, and this one reads {LAYOUT}:"
                " upgrade amends here, or set amends_backend to another log"
            )
        if shards != str(self.shards):
            raise ConfigurationError(
                f"the saga log has {shards} shards and amends_shards says {self.shards}; set it to {shards},"
                " for sagas would not be found under another number"
            )
        return True

    def shard_of(self, saga_id: str) -> int:
        """Return the number of a saga's shard."""
        return crc32(saga_id.encode()) % self.shards

    def due_key(self, shard: int) -> str:
        """Return the key of a shard's due sagas, a sorted set."""
        return f"{self._prefix(shard)}due"

    def index_key(self, shard: int, status: SagaStatus) -> str:
        """Return the key of a shard's sagas in a status, a sorted set scored by when they came to it."""
        return f"{self._prefix(shard)}index:{status}"

    def watermarks_key(self, shard: int) -> str:
        """Return the key of the watermarks that a shard has of queues, a sorted set."""
        return f"{self._prefix(shard)}watermarks"

    def probe_key(self, queue: str) -> str:
        """Return the key of what is known of a queue's last probe, a string."""
        return f"{self._root}{{probes}}:{queue}"

    def counters_key(self, shard: int) -> str:
        """Return the key of a shard's counters, a hash."""
        return f"{self._prefix(shard)}counters"

    def keys_of(self, saga_id: str) -> list[str]:
        """Return the KEYS of a saga's scripts, in the order of ``lua/saga.lua``."""
        shard = self.shard_of(saga_id)
        return [*self.own_keys(shard, saga_id), *self.shared_keys(shard)]

    def own_keys(self, shard: int, saga_id: str) -> tuple[str, str]:
        """Return the keys that a saga has for itself: its hash and its history."""
        prefix = self._prefix(shard)
        return f"{prefix}saga:{saga_id}", f"{prefix}history:{saga_id}"

    def _shared_keys(self, shard: int) -> Sequence[str]:
        """Return the keys that the sagas of a shard share."""
        indexes = [self.index_key(shard, status) for status in SagaStatus]
        definitions = f"{self._prefix(shard)}definitions"
        rest = self.counters_key(shard), self.watermarks_key(shard)
        return [self.due_key(shard), definitions, *indexes, *rest]

    def _prefix(self, shard: int) -> str:
        return f"{self._root}{{{shard}}}:"
