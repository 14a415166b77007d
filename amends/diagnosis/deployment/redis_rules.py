"""Rules about a Redis of the saga log."""

from collections.abc import Iterator, Sequence
from typing import Final

from amends.backend.client import client_of
from amends.backend.settings import Settings
from amends.diagnosis.deployment.findings import (
    Finding,
    Problem,
    Rule,
    Severity,
    Unseen,
    error,
    warning,
)
from amends.diagnosis.deployment.log_state import is_in_process, is_stray_node, read_servers
from amends.diagnosis.deployment.redis_server import RedisServer
from amends.log.store import Store

OLDEST_REDIS: Final = (6, 2)
_SLOW: Final = 0.1  # seconds; a circuit breaker waits for 0.25 s
_NEARLY_FULL: Final = 0.85


@error("log.replicas", fine="the saga log has the replicas that amends_wait_replicas waits for")
def _replicas(server: RedisServer) -> Iterator[Problem]:
    if server.replicas is None:
        raise Unseen
    if server.replicas < server.wanted_replicas:
        yield Problem(
            what=f"the saga log's Redis has {server.replicas} replicas, and amends_wait_replicas is {server.wanted_replicas}:"
            " its sagas stand still",
            where=server.url,
            remedy="bring replicas back, or lower amends_wait_replicas: then a failover may lose what was answered",
        )


@error("log.version", fine="the saga log's Redis is new enough")
def _version(server: RedisServer) -> Iterator[Problem]:
    if server.version is None:
        raise Unseen
    if server.version < OLDEST_REDIS:
        yield Problem(
            what=f"the saga log's Redis is {server.info['redis_version']}",
            where=server.url,
            remedy="use Redis 6.2 or newer, or Valkey",
        )


@error("log.cluster", fine="amends_backend says whether the saga log is in a cluster")
def _cluster(server: RedisServer) -> Iterator[Problem]:
    if is_stray_node(server):
        yield Problem(
            what="the saga log's Redis is a part of a cluster, and amends_backend does not say so",
            where=server.url,
            remedy="write redis+cluster:// in place of redis://",
        )


@error("log.replica", fine="the saga log's Redis takes writes")
def _replica(server: RedisServer) -> Iterator[Problem]:
    if server.info.get("role") == "slave":
        yield Problem(
            what="the saga log's Redis is a replica",
            where=server.url,
            remedy="let amends_backend name the primary",
        )


@error("log.eviction", fine="the saga log's Redis evicts nothing")
def _eviction(server: RedisServer) -> Iterator[Problem]:
    if server.eviction_policy is None:
        raise Unseen
    if server.eviction_policy != "noeviction":
        yield Problem(
            what=f"the saga log's Redis has maxmemory-policy {server.eviction_policy}: when it is full, it evicts live sagas, or the heartbeats of living workers",
            where=server.url,
            remedy="set maxmemory-policy to noeviction",
        )


@error("log.persistence", fine="the saga log's Redis keeps what it is told on disk")
def _persistence(server: RedisServer) -> Iterator[Problem]:
    if server.appendonly is None:
        raise Unseen
    if not server.appendonly:
        yield Problem(
            what="the saga log's Redis has appendonly no: a restart loses every saga, or takes it back to an earlier state",
            where=server.url,
            remedy="set appendonly to yes, and appendfsync to always",
        )


@warning("log.fsync", fine="the saga log's Redis syncs every write")
def _fsync(server: RedisServer) -> Iterator[Problem]:
    policy = server.settings.get("appendfsync")
    if policy is None or not server.appendonly:
        raise Unseen
    if policy != "always":
        yield Problem(
            what=f"the saga log's Redis has appendfsync {policy}: a crash loses acknowledged steps and undos",
            where=server.url,
            remedy="set appendfsync to always",
        )


@error("log.writes", fine="the saga log's Redis can write to its disk")
def _writes(server: RedisServer) -> Iterator[Problem]:
    for name in ("aof_last_write_status", "rdb_last_bgsave_status"):
        if server.info.get(name, "ok") != "ok":
            yield Problem(
                what=f"the saga log's Redis cannot write to its disk ({name} is {server.info[name]}), and may refuse writes",
                where=server.url,
                remedy="look at its log and its disk; it goes on by itself once there is room",
            )


@warning("log.memory", fine="the saga log's Redis has room")
def _memory(server: RedisServer) -> Iterator[Problem]:
    used, most = server.info.get("used_memory", 0), server.info.get("maxmemory", 0)
    if most and used > _NEARLY_FULL * most:
        yield Problem(
            what=f"the saga log's Redis uses {used / most:.0%} of its maxmemory: when it is full, no saga begins and none goes on",
            where=server.url,
            remedy="give it more memory, or keep ended sagas for less long (amends_retention)",
        )


@warning("log.hidden", fine="the saga log's Redis says how it is configured")
def _hidden(server: RedisServer) -> Iterator[Problem]:
    if not server.settings:
        yield Problem(
            what="the saga log's Redis keeps CONFIG to itself: whether it syncs every write cannot be seen",
            where=server.url,
            remedy="see in its provider's console that appendfsync is always and maxmemory-policy is noeviction",
        )


@warning("log.latency", fine="the saga log's Redis answers soon enough for circuit breakers")
def _latency(server: RedisServer) -> Iterator[Problem]:
    if server.round_trip > _SLOW:
        yield Problem(
            what=f"a round trip to the saga log takes {server.round_trip * 1000:.0f} ms, of the 250 ms that a circuit breaker waits",
            where=server.url,
            remedy="bring it nearer to the workers, or see what slows it down (SLOWLOG)",
        )


RULES: Final[Sequence[Rule[RedisServer]]] = (
    *(_replicas, _version, _cluster, _replica, _eviction, _persistence),
    *(_fsync, _writes, _memory, _hidden, _latency),
)


def weaknesses_of(settings: Settings) -> list[Finding]:
    """Tell what is wrong with the log's Redis. Raises `LogUnavailable`."""
    if is_in_process(settings):
        return []
    store = Store(client_of(settings.backend), shards=settings.shards, root=settings.key_root)
    servers: list[RedisServer] = store.read(lambda client: read_servers(client, settings))
    findings = [finding for rule in RULES for server in servers for finding in rule.apply(server)]
    return [finding for finding in findings if finding.severity is not Severity.OK]
