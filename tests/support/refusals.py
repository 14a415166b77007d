"""What a real Redis refuses, and how it comes to that."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Final

import redis

from tests.support.eventually import eventually

Refusal = Callable[[Any], AbstractContextManager[None]]


@contextmanager
def configured(client: Any, name: str, value: object) -> Iterator[None]:
    """Change a setting of Redis for a while."""
    before = client.config_get(name)[name]
    client.config_set(name, value)
    try:
        yield
    finally:
        client.config_set(name, before)


def full(client: Any) -> AbstractContextManager[None]:
    return configured(client, "maxmemory", 1)


def without_replicas(client: Any) -> AbstractContextManager[None]:
    return configured(client, "min-replicas-to-write", 1)


@contextmanager
def demoted(client: Any) -> Iterator[None]:
    client.replicaof("127.0.0.1", 1)
    try:
        yield
    finally:
        client.replicaof("NO", "ONE")


@contextmanager
def orphaned(client: Any) -> Iterator[None]:
    with configured(client, "replica-serve-stale-data", "no"), demoted(client):
        yield


@contextmanager
def without_rights(client: Any) -> Iterator[None]:
    client.execute_command("ACL", "SETUSER", "default", "-evalsha")
    try:
        yield
    finally:
        client.execute_command("ACL", "SETUSER", "default", "+evalsha")


@contextmanager
def busy(client: Any) -> Iterator[None]:
    def run() -> None:
        kwargs = client.get_connection_kwargs()
        own = redis.Redis(host=kwargs["host"], port=kwargs["port"], socket_timeout=60.0)
        with own, suppress(redis.RedisError):
            own.eval("while true do end", 0)  # until it is killed

    with configured(client, "lua-time-limit", 10):
        thread = threading.Thread(target=run)
        thread.start()
        eventually(lambda: _is_refused(client))
        try:
            yield
        finally:
            client.script_kill()
            thread.join()


def _is_refused(client: Any) -> bool:
    try:
        client.ping()
    except redis.ResponseError:
        return True
    return False


REFUSALS: Final[Mapping[str, Refusal]] = {
    "OOM": full,
    "READONLY": demoted,
    "MASTERDOWN|READONLY": orphaned,  # connected anew, its scripts are loaded first
    "NOREPLICAS": without_replicas,
    "NOPERM": without_rights,
    "BUSY": busy,
}
"""How a Redis comes to refuse for a while what is asked of it, by the code of its replies."""
