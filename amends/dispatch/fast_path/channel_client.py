"""Channels of kombu's Redis transport: those that keep their client, and that say when their connection is gone."""

from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache
from typing import Any, Final

from kombu.transport import redis
from redis.exceptions import ConnectionError as RedisAway

from amends.backend.fast_path import Shortcut

_POOLS: Final = 2
"""A channel's: of connections that block, and of those that a worker's event loop reads from."""


def _needs() -> Iterator[tuple[object, str]]:
    for name in ("conn_or_acquire", "pool", "_get_client"):
        yield redis.Channel, name


_shortcut = Shortcut("clients of kombu's channels", instead="a new one each time", needs=_needs)


def keep_client(channel: Any) -> None:
    """Let a channel keep the clients that it makes, one for each of its pools of connections.

    A client is nothing but its pool and a table of some 170 names, which redis-py fills for each one anew. A message
    costs three: one to publish, one to take it, one to acknowledge it (``_create_client`` in kombu/transport/redis.py).
    A channel of another transport stays as it is, and so does one whose clients cannot be told apart.
    """
    if not isinstance(channel, redis.Channel) or not _shortcut.is_on:
        return
    try:
        _keep_client(channel)
    except Exception as error:  # noqa: BLE001 - what libraries that are not known raise
        _shortcut.give_up(error)


def _keep_client(channel: redis.Channel) -> None:
    provider = channel.pool.connection_kwargs.get("credential_provider")
    if hasattr(channel.Client, "cache_info") or not isinstance(provider, Hashable):
        return
    channel.Client = lru_cache(maxsize=_POOLS)(channel.Client)  # type: ignore[assignment]


def say_when_gone(channel: Any) -> None:
    """Let a channel raise redis-py's connection error, where its connection is gone, in place of an AttributeError.

    When a connection is lost, Celery 5.7 closes it twice, and later acknowledges on it what ran meanwhile. The
    channel then asks for the address of a connection that it has let go of (``Channel._connparams`` in
    kombu/transport/redis.py), and the AttributeError ends the worker, where a connection error would not. A mend of
    theirs, and no shortcut: where that name is missing the channel stays as it is.
    """
    ask: Callable[..., Any] | None = getattr(channel, "_connparams", None)
    if ask is None or "_connparams" in vars(channel):
        return

    def connparams(*arguments: Any, **options: Any) -> Any:
        if channel.connection is None or channel.connection.client is None:
            raise RedisAway("the connection to the broker was lost")
        return ask(*arguments, **options)

    channel._connparams = connparams  # noqa: SLF001
