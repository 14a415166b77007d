"""Channels of kombu's Redis transport, which make a client for every command that they send."""

from typing import Any


def keep_client(channel: Any) -> None:
    """Let a channel keep the client that it has made, as long as its connections are the same.

    A client is nothing but its pool of connections and a table of some 170 names, which redis-py fills for each
    one anew. A message costs three: one to publish, one to take it, one to acknowledge it (``conn_or_acquire`` in
    kombu/transport/redis.py). A channel of another transport stays as it is.
    """
    make = getattr(channel, "_create_client", None)
    if make is None or "_create_client" in vars(channel):
        return
    kept: Any = None

    def create_client(*, asynchronous: bool = False) -> Any:
        nonlocal kept
        if asynchronous:
            return make(asynchronous=True)
        if kept is None or kept.connection_pool is not channel.pool:
            kept = make()
        return kept

    channel._create_client = create_client  # noqa: SLF001
