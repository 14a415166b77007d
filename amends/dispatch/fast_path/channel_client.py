"""Channels of kombu's Redis transport: those that keep their client, and that say when their connection is gone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kombu.transport import redis
from redis.exceptions import ConnectionError as RedisAway

from amends.backend.fast_path import Shortcut


def _needs() -> Iterator[tuple[object, str]]:
    for name in ("conn_or_acquire", "pool"):
        yield redis.Channel, name


_shortcut = Shortcut("clients of kombu's channels", instead="a new one each time", needs=_needs)


def keep_client(channel: Any) -> None:
    """Let a channel keep the client that it has made, as long as its connections are the same.

    A client is nothing but its pool of connections and a table of some 170 names, which redis-py fills for each
    one anew. A message costs three: one to publish, one to take it, one to acknowledge it (``conn_or_acquire`` in
    kombu/transport/redis.py). A channel of another transport stays as it is.
    """
    if not isinstance(channel, redis.Channel) or "conn_or_acquire" in vars(channel):
        return
    if not _shortcut.is_on:
        return
    acquire: Callable[..., Any] = channel.conn_or_acquire
    kept: Any = None

    @contextmanager
    def conn_or_acquire(client: Any = None) -> Iterator[Any]:
        nonlocal kept
        if client is None and kept is not None and kept.connection_pool is channel.pool:
            client = kept
        with acquire(client) as given:
            if client is None:
                kept = given
            yield given

    channel.conn_or_acquire = conn_or_acquire  # type: ignore[method-assign]


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
