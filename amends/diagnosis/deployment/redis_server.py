"""A Redis server's configuration and state, as it reports them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from redis.exceptions import ResponseError

from amends.backend.cluster import replicas_in

_ASKED: Final = ("appendonly", "appendfsync", "maxmemory-policy")
_PINGS: Final = 3


@dataclass(frozen=True, kw_only=True)
class RedisServer:
    """A Redis: what INFO and CONFIG say, and the seconds of a round trip. `url` has no password.

    A hosted one often keeps CONFIG to itself: `settings` is empty then, and INFO knows a part of it. `is_node` tells whether
    it was asked as a node of a cluster, `wanted_replicas` is `amends_wait_replicas`.
    """

    url: str
    info: Mapping[str, Any] = field(repr=False)
    settings: Mapping[str, str]
    round_trip: float
    is_node: bool = False
    wanted_replicas: int = 0

    @property
    def eviction_policy(self) -> str | None:
        """What it evicts when it is full; None where it does not say."""
        return self.settings.get("maxmemory-policy") or self.info.get("maxmemory_policy")

    @property
    def appendonly(self) -> bool | None:
        """Whether it keeps a log of its own on disk; None where it does not say."""
        if "appendonly" in self.settings:
            return self.settings["appendonly"] == "yes"
        return None if "aof_enabled" not in self.info else bool(self.info["aof_enabled"])

    @property
    def replicas(self) -> int | None:
        """How many replicas follow it; None where it does not say."""
        return replicas_in(self.info)

    @property
    def version(self) -> tuple[int, ...] | None:
        """Its version; None where it does not say."""
        text = str(self.info.get("redis_version", ""))
        numbers = text.split(".")[:3]
        return tuple(map(int, numbers)) if all(map(str.isdigit, numbers)) else None


def read_server(client: Any, url: str, **known: Any) -> RedisServer:
    """Ask a Redis about itself. `known` are fields that it cannot say. Raises redis-py's errors where it is away."""
    return RedisServer(
        **known,
        url=url,
        round_trip=min(_ping(client) for _ in range(_PINGS)),
        info=_info(client),
        settings=_settings(client),
    )


def _ping(client: Any) -> float:
    began = time.monotonic()
    client.ping()
    return time.monotonic() - began


def _info(client: Any) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = client.info()
    except ResponseError:  # not for this user
        return {}
    return found


def _settings(client: Any) -> Mapping[str, str]:
    told: dict[str, str] = {}
    try:
        for name in _ASKED:  # one by one: Redis 6.2 takes one name at a time
            told |= {_text(key): _text(value) for key, value in client.config_get(name).items()}
    except ResponseError:
        return {}
    return told


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
