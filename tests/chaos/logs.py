"""The saga logs of a run: the servers of each, and every worker's line to it."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from amends.backend.rights import acl_line
from amends.backend.settings import Settings
from demo.ports import LOOPBACK, free_port
from demo.servers import RedisServer
from tests.chaos.proxy import Proxy, proxies_to
from tests.support.redis_clusters import OwnCluster, nodes_in
from tests.support.redis_sentinels import Watched
from tests.support.tls import Certificates

LOGS: Final[Mapping[str, str]] = {
    "redis": "redis",
    "acl": "redis",
    "sentinel": "sentinel",
    "cluster": "cluster",
    "cluster-tls": "cluster",
}
"""What LOG may be: whether it is one Redis, one under Sentinels, or a cluster."""


@dataclass(frozen=True, kw_only=True)
class Log:
    """The log of a run; `url` leads past the lines, which only one Redis has, one for each worker."""

    server: RedisServer | OwnCluster | Watched
    url: str
    lines: Mapping[str, Proxy] = field(default_factory=dict)

    def url_of(self, worker: str) -> str:
        """Return the URL by which a worker reaches it."""
        if worker not in self.lines or not isinstance(self.server, RedisServer):
            return self.url
        place, line = f"{LOOPBACK}:{self.server.port}", f"{LOOPBACK}:{self.lines[worker].port}"
        return self.url.replace(place, line)


class GuardedRedis(RedisServer):
    """A Redis behind TLS; `url_of_sagas` names a user that has the rights of ``saga doctor --acl`` alone."""

    def __init__(self, name: str, *, directory: Path) -> None:
        port, tls = free_port(), Certificates.make(directory)
        rights = acl_line("sagas", Settings(backend="redis://").key_root)
        users = directory / "users.acl"
        own = rights.removeprefix("ACL SETUSER ").replace("PASSWORD", "secret")
        users.write_text(f"user default on nopass ~* &* +@all\nuser {own}\n", encoding="ascii")
        settings = {**tls.settings(port), "aclfile": str(users)}
        super().__init__(name, directory=directory, port=port, settings=settings)
        self.url = self.url.replace("redis://", "rediss://")
        self.way = f"{self.url}/0{tls.query}"
        self.url_of_sagas = self.way.replace("://", "://sagas:secret@")


@contextlib.contextmanager
def log_in(directory: Path, kind: str, workers: Sequence[str]) -> Iterator[Log]:
    """Give a log, whose servers do not run yet.

    kind: of `LOGS`.
    workers: the names of those that have a line to it.
    """
    if LOGS[kind] == "sentinel":
        watched = Watched(directory, replicas=1)  # all of which a transition waits for
        yield Log(
            server=watched, url=f"{watched.url}/0?master_name={watched.options['master_name']}"
        )
    elif LOGS[kind] == "cluster":
        tls = Certificates.make(directory) if kind == "cluster-tls" else None
        cluster = OwnCluster(nodes_in(directory, 6, tls=tls), primaries=3)
        yield Log(server=cluster, url=cluster.url)
    else:
        one = _one_redis(directory, kind)
        with proxies_to(one.port, len(workers)) as proxies:
            lines = dict(zip(workers, proxies, strict=True))
            url = one.url_of_sagas if isinstance(one, GuardedRedis) else f"{one.url}/0"
            yield Log(server=one, url=url, lines=lines)


def _one_redis(directory: Path, kind: str) -> RedisServer | GuardedRedis:
    return (GuardedRedis if kind == "acl" else RedisServer)("saga-log", directory=directory)
