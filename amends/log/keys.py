"""Names of the log's keys.

A saga's keys share a hash tag, ``{<shard>}``, with the sets of its shard: each transition is one script on one slot.
In a cluster the tags are others, whose slots are evenly spread, so that each node has as many shards as slots.
All begin with ``amends:`` or with ``amends:<namespace>:``, and these with a prefix, so that several logs may share a Redis.
"""

from binascii import crc_hqx
from collections.abc import Sequence
from functools import cache
from itertools import count
from typing import Final
from uuid import UUID
from zlib import crc32

from amends.backend.script_constants import TIMED
from amends.definition.itinerary import is_saga_id
from amends.definition.states import SagaStatus
from amends.errors import ConfigurationError

LAYOUT: Final = 2
"""The newest layout of a log that this release reads: its keys, and the fields that every script reads.

1: the tag of a shard is its number. 2: a text whose slot is in the shard's part of all slots.
"""

ROOT: Final = "amends:"
"""What each key begins with where an app has no namespace and no prefix."""

_SLOTS: Final = 16_384  # of every cluster


def bases_of(status: SagaStatus) -> Sequence[int]:
    """Return what is added to the times in an index: nothing, and `TIMED` for sagas that wait in the log, or begin later."""
    return (0, TIMED) if status in (SagaStatus.PENDING, SagaStatus.RUNNING) else (0,)


SagaId = str | UUID | int
"""What a saga may be called by; the log has the text of a UUID or a number."""


def id_text(saga_id: SagaId) -> str:
    """Return a saga's id as the log has it. Raises ``ValueError`` for what may be none."""
    is_number = isinstance(saga_id, int) and not isinstance(saga_id, bool)
    text = str(saga_id) if is_number or isinstance(saga_id, UUID) else saga_id
    if not is_saga_id(text):
        raise ValueError(
            f"saga_id {saga_id!r} is not 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit"
        )
    return text


class Keys:
    """The keys of a log in so many shards.

    root: what each begins with.
    is_spread: whether the shards are spread evenly over a cluster's slots.
    """

    def __init__(self, shards: int, root: str = ROOT, *, is_spread: bool = False) -> None:
        self.shards = shards
        self._root = root
        self.shards_key = f"{self._root}shards"
        self.workers_key = f"{self._root}{{workers}}"
        self.profiles_key = f"{self._root}{{profiles}}"
        self.acts_keys = (
            f"{self._root}{{acts}}",
            f"{self._root}{{acts}}:progress",
        )  # on circuits, and on many sagas
        self.archive_key = f"{self._root}{{archive}}"  # a hash; see ``lua/take_archive_turn.lua``
        self.lost_key = f"{self._root}{{lost}}"  # a sorted set; see `lost_writes`
        self.shared_keys = cache(self._shared_keys)
        self.is_spread = is_spread
        self._layout = 2 if is_spread else 1
        self._tags = _spread_tags(shards) if is_spread else None

    @property
    def shards_text(self) -> str:
        """What a log says of its shards: how many, and its layout but for the first, which earlier releases know alone."""
        return f"{self.shards}" if self._layout == 1 else f"{self.shards} {self._layout}"

    def has_shards(self, stored: str | None) -> bool:
        """Return whether a log says how many shards it has, as one does from its first saga or worker on.

        Raises `ConfigurationError` if these are not as many as the keys are for, or if it has another layout.
        """
        if stored is None:
            return False
        shards, _, told = stored.partition(" ")
        layout = int(told) if told.isdecimal() else 1
        if layout > LAYOUT:
            raise ConfigurationError(
                f"the saga log has layout {layout}, which a newer release of amends wrote, and this one reads {LAYOUT}:"
                " upgrade amends here, or set amends_backend to another log"
            )
        if layout != self._layout:
            made, here = ("one Redis", "a cluster")[:: 1 if layout == 1 else -1]
            raise ConfigurationError(
                f"the saga log was made on {made}, and this is {here}, where sagas are under other keys: set amends_backend to"
                " another log, and leave the one of before until its sagas have ended"
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
        """Return the key of a shard's sagas in a status, a sorted set scored by when they came to it, see `bases_of`."""
        return f"{self._prefix(shard)}index:{status}"

    def watermarks_key(self, shard: int) -> str:
        """Return the key of the watermarks that a shard has of queues, a sorted set."""
        return f"{self._prefix(shard)}watermarks"

    def probe_key(self, queue: str) -> str:
        """Return the key of what is known of a queue's last probe, a string."""
        return f"{self._root}{{probes}}:{queue}"

    def waits_channel(self, process: str) -> str:
        """Return the channel on which a process hears of the sagas that it waits for."""
        return f"{self._root}waits:{process}"

    def counters_key(self, shard: int) -> str:
        """Return the key of a shard's counters, a hash."""
        return f"{self._prefix(shard)}counters"

    def search_key(self, shard: int) -> str:
        """Return the key of a shard's search index, a sorted set: an entry of `search_fields`, a time, an id, in their order."""
        return f"{self._prefix(shard)}search"

    def paused_key(self, shard: int) -> str:
        """Return the key of a shard's paused sagas, a sorted set scored by when they were paused."""
        return f"{self._prefix(shard)}paused"

    def remembered_keys(self, shard: int) -> tuple[str, str]:
        """Return the keys of a shard's remembered ids: a hash of the sagas that had them, and a list of them, as they were removed."""
        prefix = self._prefix(shard)
        return f"{prefix}remembered", f"{prefix}remembered:ids"

    def schedule_keys(self, name: str) -> list[str]:
        """Return the KEYS of a schedule's scripts, in the order of ``lua/schedule.lua``."""
        shard = self.shard_of(name)
        of_one = f"{self._prefix(shard)}schedule:{name}"
        return [of_one, f"{of_one}:history", self.schedules_key(shard)]

    def acts_key(self, shard: int) -> str:
        """Return the key of the acts on a shard's sagas and schedules, a sorted set, see ``lua/acts.lua``."""
        return f"{self._prefix(shard)}acts"

    def schedules_key(self, shard: int) -> str:
        """Return the key of the names of a shard's schedules, a sorted set, all scored 0: a user of the log's Redis has the rights to one already."""
        return f"{self._prefix(shard)}schedules"

    def keys_of(self, saga_id: str) -> list[str]:
        """Return the KEYS of a saga's scripts, in the order of ``lua/saga.lua``."""
        shard = self.shard_of(saga_id)
        return [*self.own_keys(shard, saga_id), *self.shared_keys(shard)]

    def start_keys(self, shard: int, saga_ids: Sequence[str], *, search: bool) -> list[str]:
        """Return the KEYS of the script that starts these sagas of a shard.

        search: whether they have entries in the search index.
        """
        own = [key for saga_id in saga_ids for key in self.own_keys(shard, saga_id)]
        return [*own, *self.shared_keys(shard, starts=True, search=search)]

    def removal_keys(self, saga_id: str) -> list[str]:
        """Return the KEYS of the script that removes a saga."""
        shard = self.shard_of(saga_id)
        remembered, ids = self.remembered_keys(shard)
        return [*self.keys_of(saga_id), remembered, self.search_key(shard), ids]

    def own_keys(self, shard: int, saga_id: str) -> tuple[str, str]:
        """Return the keys that a saga has for itself: its hash and its history."""
        prefix = self._prefix(shard)
        return f"{prefix}saga:{saga_id}", f"{prefix}history:{saga_id}"

    def definitions_key(self, shard: int) -> str:
        """Return the key of the definitions of a shard's sagas, a hash."""
        return f"{self._prefix(shard)}definitions"

    def _shared_keys(
        self, shard: int, *, starts: bool = False, search: bool = False
    ) -> Sequence[str]:
        """Return the keys that the sagas of a shard share.

        starts: whether the script starts sagas.
        search: whether these have entries in the search index.
        """
        indexes = [self.index_key(shard, status) for status in SagaStatus]
        rest = [self.counters_key(shard), self.watermarks_key(shard)]
        if starts:
            rest.append(self.remembered_keys(shard)[0])
        if search:
            rest.append(self.search_key(shard))
        return [self.due_key(shard), self.definitions_key(shard), *indexes, *rest]

    def _prefix(self, shard: int) -> str:
        return f"{self._root}{{{self._tags[shard] if self._tags else shard}}}:"


@cache
def _spread_tags(shards: int) -> Sequence[str]:
    """Return a tag for each shard: each has its slot in the shard's part of all slots, and nodes have whole ranges of slots."""
    tags: dict[int, str] = {}
    for number in count():
        tag = f"{number:x}"
        tags.setdefault(crc_hqx(tag.encode(), 0) % _SLOTS * shards // _SLOTS, tag)
        if len(tags) == shards:
            break
    return [tags[shard] for shard in range(shards)]
