"""The cells of the matrix: which log, broker and pool run together, and what each needs of the machine."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from demo.programs import NotInstalled
from demo.servers import find_rabbitmq
from tests.support.redis_servers import AT_HAND, knows_tls, version_of


@dataclass(frozen=True, kw_only=True)
class LogKind:
    """A log of the matrix: LOG of chaos, and the servers that it may run on, the preferred one first."""

    log: str = "redis"
    servers: Sequence[str]

    @property
    def needs_tls(self) -> bool:
        """Whether its server has to know TLS."""
        return self.log in ("acl", "cluster-tls")


LOGS: Final[Mapping[str, LogKind]] = {
    "redis-6.2": LogKind(servers=("Redis 6.2",)),
    "redis-7.0": LogKind(servers=("Redis 7.0",)),
    "redis-8": LogKind(servers=("Redis 8",)),
    "valkey": LogKind(servers=("Valkey",)),
    "acl": LogKind(log="acl", servers=("Redis 7", "Valkey", "Redis 8")),
    "sentinel": LogKind(log="sentinel", servers=("Redis 7", "Redis 6.2", "Valkey")),
    "cluster": LogKind(log="cluster", servers=("Valkey", "Redis 6.2", "Redis 7")),
    "cluster-tls": LogKind(log="cluster-tls", servers=("Redis 7", "Valkey", "Redis 8")),
}


@dataclass(frozen=True)
class Cell:
    """One cell: a log of `LOGS`, and BROKER and POOL of chaos."""

    log: str
    broker: str
    pool: str

    @property
    def name(self) -> str:
        """Its name, for CELLS and the table."""
        return f"{self.log}/{self.broker}/{self.pool}"

    def find_server(self) -> tuple[Path, str] | None:
        """Return the program of the log's server with its version, or None if none is at hand."""
        kind = LOGS[self.log]
        for wanted in kind.servers:
            for name, program in AT_HAND.items():
                version = short_version(name)
                fits = f"{version}.".startswith((f"{wanted}.", f"{wanted} "))
                if fits and (not kind.needs_tls or knows_tls(program)):
                    return program, version
        return None

    def lacks(self) -> str:
        """Return why it cannot run on this machine, or ''."""
        if self.find_server() is None:
            with_tls = " with TLS" if LOGS[self.log].needs_tls else ""
            return f"no {' or '.join(LOGS[self.log].servers)}{with_tls} is here; REDIS_SERVER may name one"
        if self.pool == "gevent" and importlib.util.find_spec("gevent") is None:
            return "gevent is not installed"
        if self.broker.startswith("rabbitmq"):
            try:
                find_rabbitmq()
            except NotInstalled as missing:
                return str(missing)
        return ""


def short_version(server: str) -> str:
    """Return the name and the version of a server at hand, such as ``Redis 6.2.14``."""
    words = version_of(server).split()
    return f"{words[0]} {words[2].removeprefix('v=')}"


# Each log, each broker and each pool at least twice, and no broker with a pool that it was with already.
CELLS: Final = (
    Cell("redis-6.2", "redis-log", "prefork"),
    Cell("redis-6.2", "rabbitmq", "threads"),
    Cell("redis-7.0", "rabbitmq-quorum", "gevent"),
    Cell("redis-7.0", "redis-sentinel", "solo"),
    Cell("redis-8", "redis", "prefork"),
    Cell("redis-8", "redis-log", "threads"),
    Cell("valkey", "redis-log", "gevent"),
    Cell("valkey", "redis-options", "prefork"),
    Cell("acl", "redis", "gevent"),
    Cell("acl", "rabbitmq-quorum", "threads"),
    Cell("sentinel", "redis-sentinel", "prefork"),
    Cell("sentinel", "rabbitmq", "gevent"),
    Cell("sentinel", "redis-options", "threads"),
    Cell("cluster", "redis", "threads"),
    Cell("cluster", "rabbitmq-quorum", "prefork"),
    Cell("cluster", "redis-options", "solo"),
    Cell("cluster-tls", "rabbitmq", "solo"),
    Cell("cluster-tls", "redis-sentinel", "gevent"),
)
TODAY: Final = "today"


def choose(wanted: str, day: date) -> list[Cell]:
    """Choose cells.

    wanted: names or patterns of them, such as ``cluster/*``; or `TODAY`, for three cells that change with the day and
        always one of a cluster.
    """
    if wanted != TODAY:
        patterns = wanted.split()
        return [cell for cell in CELLS if any(fnmatchcase(cell.name, each) for each in patterns)]
    number = day.timetuple().tm_yday
    clusters = [cell for cell in CELLS if cell.log.startswith("cluster")]
    others = [cell for cell in CELLS if cell not in clusters]
    three = [others[(3 * number + k) % len(others)] for k in range(3)]
    return [*three, clusters[number % len(clusters)]]
