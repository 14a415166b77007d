"""Times that a saga log tells, on a machine that may be busy."""

from dataclasses import dataclass

import redis


def redis_now(client: redis.Redis) -> float:
    """Return the time of a Redis, in seconds."""
    seconds, microseconds = client.time()
    return float(seconds) + microseconds / 1e6


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, in seconds; both are in it."""

    low: float
    high: float

    def __contains__(self, seconds: float) -> bool:
        return self.low <= seconds <= self.high


class Since:
    """What a number of seconds may have become since this was made, however long that took.

    Scripts count in milliseconds: each range is 10 ms wider at either end.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._began = redis_now(client)

    def left(self, seconds: float) -> Range:
        """Return what is left of a wait that began since, and of these seconds."""
        return Range(seconds - self._elapsed() - 0.01, seconds + 0.01)

    def gone(self, seconds: float) -> Range:
        """Return how long ago something is now that was these seconds ago since."""
        return Range(seconds - 0.01, seconds + self._elapsed() + 0.01)

    def _elapsed(self) -> float:
        return redis_now(self._client) - self._began
