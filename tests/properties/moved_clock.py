"""A real Redis by a clock that is moved: everything is its own work but what time it is."""

from typing import Any

import redis

from amends.lua import DIGESTS, SCRIPTS
from amends.testing.clock import Clock

_NAMES = {digest: name for name, digest in DIGESTS.items()}


class _Pipeline(redis.client.Pipeline):
    def time(self, **_: Any) -> Any:
        return self.execute_command("EVAL", f"return {{{self.now}}}", 0)


def client_by(url: str, clock: Clock) -> Any:
    """Give a client whose plain commands and scripts read the time from a clock."""

    class Client(redis.Redis):
        def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:  # noqa: FBT001, FBT002
            pipeline: Any = _Pipeline(
                self.connection_pool, self.response_callbacks, transaction, shard_hint
            )
            pipeline.now = _now(clock)
            return pipeline

        def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
            text = SCRIPTS[_NAMES[sha]]
            assert text.count("redis.call('TIME')") == 1
            moved = text.replace("redis.call('TIME')", f"{{{_now(clock)}}}")
            return self.eval(moved, numkeys, *keys_and_args)

    return Client.from_url(url, decode_responses=True)


def _now(clock: Clock) -> str:
    return ",".join(text.decode() for text in clock.redis_time())
