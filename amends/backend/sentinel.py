"""A client of the primary that Sentinels name, which leaves one that they name no longer.

A Sentinel demotes the primary of before only some ten seconds after it named another one. Until then that one takes
writes, all of which are lost.
"""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.sentinel import MasterNotFoundError, Sentinel

from amends.backend.url import sentinel_options, without_sentinel_options

_kind: Final[Any] = Sentinel  # redis-py does not type it
_INTERVAL: Final = 1.0
"""Seconds between two questions to the Sentinels."""


class Sentinels(_kind):  # type: ignore[misc]
    """Redis-py's Sentinels, with an error that says why no primary is known: theirs prints the clients that it asked."""

    sentinels: list[Any]

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port of the primary of this name. The Sentinel that answered is asked first from then on.

        Raises redis-py's ``MasterNotFoundError``, which is a ``ConnectionError``.
        """
        known: set[str] = set()
        errors: list[str] = []
        for sentinel in self.sentinels:
            try:
                primaries = sentinel.sentinel_masters()
            except RedisError as error:
                errors.append(_refusal(sentinel, error))
                continue
            state = primaries.get(service_name)
            if state and self.check_master_state(state, service_name):
                others = [each for each in self.sentinels if each is not sentinel]
                self.sentinels = [sentinel, *others]  # at once: other threads ask them too
                return state["ip"], state["port"]
            known.update(primaries)
        raise MasterNotFoundError(_reason(service_name, known, errors))


def primary_of(sentinels: Sequence[str], options: dict[str, Any]) -> redis.Redis:
    """Return a client of the primary that Sentinels name. Each connection asks them where it is as it connects.

    sentinels: their URLs, the last one with the options of `amends_backend_options`.
    options: of each connection, where the URL has no others.
    """
    how = sentinel_options(sentinels[-1])
    pool: Any = redis.ConnectionPool.from_url(without_sentinel_options(sentinels[-1]))
    given = {
        name: each for name, each in pool.connection_kwargs.items() if name not in ("host", "port")
    }
    is_tls = issubclass(pool.connection_class, redis.SSLConnection)
    waits = {name: value for name, value in options.items() if name != "decode_responses"}
    asker = Sentinels(
        [(place.hostname or "", place.port or 26379) for place in map(urlsplit, sentinels)],
        sentinel_kwargs={**waits, **how.get("sentinel_kwargs", {})},
        min_other_sentinels=int(how.get("min_other_sentinels", 0)),
    )
    client: redis.Redis = asker.master_for(
        how["master_name"], **{**options, **given, "ssl": is_tls}
    )
    watched = weakref.ref(client.connection_pool)
    threading.Thread(target=_watch, args=(watched,), name="amends-primary", daemon=True).start()
    return client


def find_primary(connection: Any) -> None:
    """Let a closed connection lead to the primary that Sentinels name now: sending alone connects to the one of before.

    connection: a ``SentinelManagedConnection``.
    """
    connection.connect_to(connection.connection_pool.get_master_address())


def leads_elsewhere(connection: Any) -> bool:
    """Tell whether Sentinels have named another primary since a ``SentinelManagedConnection`` was made."""
    named = connection.connection_pool.master_address
    return named is not None and named != (connection.host, connection.port)


def _watch(watched: weakref.ref[Any]) -> None:
    """Ask the Sentinels now and then: where they name another primary, redis-py closes the idle connections of a pool."""
    while (pool := watched()) is not None:
        with contextlib.suppress(RedisError, OSError):  # who connects is told
            pool.get_master_address()
        del pool
        time.sleep(_INTERVAL)


def _refusal(sentinel: Any, error: RedisError) -> str:
    place = "{host}:{port}".format_map(sentinel.connection_pool.connection_kwargs)
    if isinstance(error, AuthenticationError):
        return (
            f"the Sentinel at {place} refuses the user or the password,"
            ' which are in amends_backend_options["sentinel_kwargs"]'
        )
    if isinstance(error, ResponseError):
        return f"{place} is no Sentinel, or denies SENTINEL MASTERS to this user"
    return str(error).rstrip(".")


def _reason(name: str, known: Iterable[str], errors: list[str]) -> str:
    told = "".join(f"; {each}" for each in errors)
    if name in known:
        return f"the Sentinels know no primary {name!r} that lives{told}"
    if known:
        return (
            f"the Sentinels watch no primary {name!r}, only {', '.join(map(repr, sorted(known)))};"
            f" correct the master_name in amends_backend_options{told}"
        )
    return f"no Sentinel names the primary {name!r}{told}"
