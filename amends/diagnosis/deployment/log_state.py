"""The saga log of an installation as it is found, for the rules to judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from amends.backend.client import impatient_client_of
from amends.backend.cluster import Cluster
from amends.backend.settings import Settings
from amends.backend.url import address_of
from amends.definition.itinerary import Itinerary
from amends.definition.states import LIVE
from amends.diagnosis.deployment.redis_server import RedisServer, read_server
from amends.errors import UnreadableData
from amends.log.answers import Itineraries
from amends.log.archiving.archiving import Archiving
from amends.log.archiving.state import ArchiveState
from amends.log.heartbeats import Heartbeat, Workers
from amends.log.maintenance import Maintenance
from amends.log.profiles import Profile, Profiles
from amends.log.queries.lost_writes import LostWrite, LostWrites
from amends.log.schedules.state import ScheduleState
from amends.log.schedules.transitions import Schedules
from amends.log.store import Store

_PATIENCE: Final = 1.0
"""Seconds that one answer of a Redis is waited for."""
_LOOKED_AT: Final = 20  # live sagas of each shard and status


@dataclass(frozen=True, kw_only=True)
class LogState:
    """The saga log as it was found.

    `servers` are its Redis, or the primaries of its cluster. `shards` is how many it has, None before its first use; `heartbeats` is None where they cannot be read.
    `profiles` are those of live workers. `in_use` has
    the definitions of live sagas, each with the ids of some that it belongs to; where there are many sagas, of the oldest.
    """

    settings: Settings
    servers: Sequence[RedisServer]
    shards: int | None
    heartbeats: Sequence[Heartbeat] | None
    profiles: Sequence[Profile]
    in_use: Sequence[tuple[Itinerary, Sequence[str]]]
    lost: Sequence[LostWrite] = ()  #: Transitions that it acknowledged and does not have.
    newer: Sequence[str] = ()  #: Ids of live sagas whose plan only a newer release can read.
    schedules: Sequence[ScheduleState] = ()
    archive: ArchiveState | None = None
    denied: Sequence[str] = ()  #: Commands of the scripts that its user may not run.


def is_in_process(settings: Settings) -> bool:
    """Tell whether the log is none but for tests."""
    return settings.backend.startswith("memory://")


def read_servers(client: Any, settings: Settings) -> list[RedisServer]:
    """Ask the log's Redis about itself, or each primary of its cluster. Raises redis-py's errors where one is away."""
    known: dict[str, Any] = {"wanted_replicas": settings.wait_replicas}
    if not isinstance(client, Cluster):
        return [read_server(client, address_of(settings.backend), **known)]
    return [
        read_server(node, f"redis://{place['host']}:{place['port']}", is_node=True, **known)
        for node in client.primaries()
        for place in [node.connection_pool.connection_kwargs]
    ]


def is_stray_node(server: RedisServer) -> bool:
    """Tell whether a Redis is a part of a cluster, and was asked as if it were all of the log."""
    return bool(server.info.get("cluster_enabled")) and not server.is_node


def read_log(settings: Settings) -> LogState:
    """Look at the saga log, and change nothing. Raises `LogUnavailable`, and `ConfigurationError`."""
    client = impatient_client_of(settings.backend, patience=_PATIENCE)
    store = Store(client, shards=settings.shards, root=settings.key_root)
    servers = store.reach(lambda client: read_servers(client, settings))
    if any(map(is_stray_node, servers)):  # which would answer for a part of the log alone
        return LogState(
            settings=settings, servers=servers, shards=None, heartbeats=None, profiles=(), in_use=()
        )
    stored = store.read_shards()
    shards = int(stored.partition(" ")[0]) if stored else None
    store = Store(client, shards=shards or settings.shards, root=settings.key_root)
    in_use, newer = _read_in_use(store)
    return LogState(
        settings=settings,
        servers=servers,
        shards=shards,
        heartbeats=Workers(store).read_heartbeats(),
        profiles=Profiles(store).read_live(),
        in_use=in_use,
        newer=newer,
        schedules=Schedules(store).read_schedules(),
        archive=Archiving(store).read_archive_state(),
        lost=LostWrites(store).read(kept_for=settings.retention),
        denied=()
        if is_in_process(settings)
        else Maintenance(store, Itineraries()).denied_commands(),
    )


def _read_in_use(store: Store) -> tuple[list[tuple[Itinerary, list[str]]], list[str]]:
    ids = store.read_index(LIVE, ago=0.0, limit=_LOOKED_AT)
    digests = _read_fields(store, [(store.keys_of(each)[0], "definition") for each in ids])
    users: dict[str, list[str]] = {}
    for saga_id, digest in zip(ids, digests, strict=True):
        if digest:  # it may have been removed since
            users.setdefault(digest, []).append(saga_id)
    keys = [(store.keys_of(found[0])[3], digest) for digest, found in users.items()]
    texts = _read_fields(store, keys)
    in_use, newer = [], []
    for text, found in zip(texts, users.values(), strict=True):
        try:
            in_use += [(Itinerary.from_json(text), found)] if text else []
        except UnreadableData:
            newer += found
    return in_use, newer


def _read_fields(store: Store, fields: Sequence[tuple[str, str]]) -> list[str | None]:
    def command(client: Any) -> Any:
        pipeline = client.pipeline(transaction=False)
        for key, field in fields:
            pipeline.hget(key, field)
        return pipeline.execute()

    answers: list[str | None] = store.read(command) if fields else []
    return answers
