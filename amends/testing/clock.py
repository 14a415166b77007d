"""The clock of a rehearsal: it stands still until it is moved."""

import time
from typing import Any

import redis


class Clock:
    """A clock that moves when it is told to. `start` is seconds since 1970; without it, now."""

    def __init__(self, start: float | None = None) -> None:
        # Whole milliseconds, as the log's: then a wait that has passed leaves no rest.
        self._milliseconds = round((time.time() if start is None else start) * 1000)

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self._milliseconds / 1000

    def after(self, seconds: float) -> float:
        """Tell the moment that is so many seconds from now."""
        return (self._milliseconds + round(seconds * 1000)) / 1000

    def advance(self, seconds: float) -> None:
        """Move on. Raises `ValueError` for a negative number."""
        if seconds < 0:
            raise ValueError(f"a clock does not go back, as {seconds} s would")
        self._milliseconds += round(seconds * 1000)

    def reach(self, moment: float) -> None:
        """Move on to a moment; nothing happens where it has passed."""
        self.advance(max(0.0, moment - self.now))

    def redis_time(self) -> list[bytes]:
        """Answer Redis' ``TIME``: seconds, and microseconds."""
        seconds, milliseconds = divmod(self._milliseconds, 1000)
        return [b"%d" % seconds, b"%d" % (milliseconds * 1000)]


def keep_time(client: redis.Redis, clock: Clock) -> None:
    """Let this fakeredis client, and no other, tell the time of a clock.

    fakeredis looks its commands up on the socket of a connection (``_socket/_base.py``,
    ``_name_to_func``), also for a script. Expiry stays by the real time. To be called before the
    client is used.
    """
    pool: Any = client.connection_pool

    class Connection(pool.connection_class):  # type: ignore[misc]  # fakeredis', known at run time
        def _connect(self) -> Any:
            socket = super()._connect()
            socket.time = clock.redis_time
            return socket

    pool.connection_class = Connection
