"""A real Redis by a clock that is moved: everything is its own work but what time it is."""

from typing import Any

import redis

from amends.backend.scripts import DIGESTS, SCRIPTS
from amends.breaker.redis_access import RedisAccess
from amends.testing.clock import Clock

_NAMES = {digest: name for name, digest in DIGESTS.items()}


class MovedAccess(RedisAccess):
    """A way to Redis whose plain commands and scripts read the time from a clock."""

    def __init__(self, url: str, clock: Clock) -> None:
        class Client(redis.Redis):
            def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
                text = SCRIPTS[_NAMES[sha]]
                assert text.count("redis.call('TIME')") == 1
                moved = text.replace("redis.call('TIME')", f"{{{_now(clock)}}}")
                return self.eval(moved, numkeys, *keys_and_args)

        super().__init__(Client.from_url(url, decode_responses=True))
        self._now = clock

    def send(self, *commands: tuple[str, ...]) -> list[Any]:
        told = ("EVAL", f"return {{{_now(self._now)}}}", "0")
        return super().send(*(told if each == ("TIME",) else each for each in commands))


def _now(clock: Clock) -> str:
    return ",".join(text.decode() for text in clock.redis_time())
