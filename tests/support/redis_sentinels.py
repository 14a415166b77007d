"""Redis under Sentinels of a test's own: a primary, replicas, and three Sentinels that choose another primary."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from demo.ports import LOOPBACK, free_port
from demo.programs import Program, start
from demo.servers import RedisServer, find_redis, redis_answers
from tests.support.eventually import eventually
from tests.support.redis_servers import replicas_online
from tests.support.tls import Certificates

MASTER: Final = "orders"
_CONFIGURATION: Final = """\
port {port}
bind {host}
dir {directory}
sentinel monitor {master} {host} {primary} 2
sentinel down-after-milliseconds {master} 1000
sentinel failover-timeout {master} 3000
"""


class SentinelServer(Program):
    """A Sentinel that watches a primary.

    primary: its port.
    program: its ``redis-server``; it has to know TLS for `tls`, which the primary takes too.
    """

    def __init__(
        self,
        name: str,
        *,
        directory: Path,
        primary: int,
        program: Path | None = None,
        tls: Certificates | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"redis://{LOOPBACK}:{self.port}"
        self.way = self.url if tls is None else f"rediss://{LOOPBACK}:{self.port}{tls.query}"
        file = directory / f"{name}.conf"
        given = {"host": LOOPBACK, "directory": directory, "master": MASTER, "primary": primary}
        text = _CONFIGURATION.format(port=self.port, **given)
        for setting, value in (tls.settings(self.port) if tls else {}).items():
            text += f"{setting} {value}\n"
        file.write_text(text, encoding="utf-8")
        command = [str(program or find_redis()), str(file), "--sentinel"]
        super().__init__(name, command, directory=directory)

    def answers(self) -> bool:
        """Return whether it answers a PING."""
        return not self.frozen and redis_answers(self.way)


class Watched:
    """A primary with its replicas, and the Sentinels that watch it."""

    def __init__(self, directory: Path, *, replicas: int = 2, sentinels: int = 3) -> None:
        self.servers = [RedisServer(f"redis{k}", directory=directory) for k in range(1 + replicas)]
        first = self.servers[0].port
        self.sentinels = [
            SentinelServer(f"sentinel{k}", directory=directory, primary=first)
            for k in range(sentinels)
        ]

    @property
    def nodes(self) -> list[Program]:
        """All of their programs."""
        return [*self.servers, *self.sentinels]

    def form(self) -> None:
        """Start all, empty: the servers, replicas of the first, and the Sentinels, which find them and each other."""
        start(*self.servers)
        first, *others = self.servers
        for replica in others:
            self.client(replica).replicaof(LOOPBACK, first.port)
        for replica in others:
            eventually(lambda at=replica: self.client(at).info()["master_link_status"] == "up")  # type: ignore[misc]
        start(*self.sentinels)  # which look for replicas as they start, and then each 10 s
        known = (len(others), len(self.sentinels) - 1)
        for each in self.sentinels:
            eventually(lambda at=each: self._known_to(at) == known)  # type: ignore[misc]

    @property
    def url(self) -> str:
        """What `amends_backend` is, without what `options` say."""
        return ";".join(each.url.replace("redis://", "sentinel://") for each in self.sentinels)

    @property
    def options(self) -> dict[str, Any]:
        """What `amends_backend_options` is."""
        return {"master_name": MASTER}

    @staticmethod
    def client(server: RedisServer | SentinelServer) -> Any:
        """Return a client of one server."""
        return Redis.from_url(server.url, decode_responses=True, socket_timeout=5.0)

    @property
    def primary(self) -> RedisServer:
        """The primary, as the first Sentinel tells it. Raises redis-py's errors."""
        # By its name: redis-py's method gives its own parser arguments that this does not take, in 6.4.
        _, port = self.client(self.sentinels[0]).execute_command(
            "SENTINEL GET-MASTER-ADDR-BY-NAME", MASTER
        )
        return next(each for each in self.servers if each.port == port)

    def owners(self) -> list[RedisServer]:
        """Return the primary alone, which has all keys. Raises redis-py's errors."""
        return [self.primary]

    def answers(self, *, replicas: int = 0) -> bool:
        """Return whether the primary answers, and so many replicas have all that it wrote until now."""
        try:
            return replicas_online(self.client(self.primary)) >= replicas
        except RedisError:
            return False

    def hand_over(self, _: RedisServer) -> RedisServer:
        """Let a replica take the primary's place, as before maintenance; return who is the primary a moment later."""
        self.client(self.sentinels[0]).execute_command("SENTINEL FAILOVER", MASTER)
        return self.primary

    def _known_to(self, sentinel: SentinelServer) -> tuple[int, int]:
        told = self.client(sentinel).execute_command("SENTINEL MASTER", MASTER)
        return told["num-slaves"], told["num-other-sentinels"]


@contextlib.contextmanager
def watched(directory: Path) -> Iterator[Watched]:
    """Run them while the context is open."""
    found = Watched(directory)
    try:
        found.form()
        yield found
    finally:
        for each in found.nodes:
            each.kill()
