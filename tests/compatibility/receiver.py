"""What the sagas of both releases call: a service that keeps effects by idempotency key, in the Redis that RECEIVER names."""

import json
import os
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from redis import Redis

# An effect is made once, and not at all after it was taken back; each call is noted.
_CALL: Final = """
redis.call('RPUSH', KEYS[1], ARGV[3])
local at = redis.call('HGET', KEYS[2], ARGV[1])
if ARGV[2] == 'undo' then
  redis.call('HSET', KEYS[2], ARGV[1], 'undone')
elseif ARGV[2] == 'make' and at == 'undone' then
  return 0
elseif ARGV[2] == 'make' then
  redis.call('HSET', KEYS[2], ARGV[1], 'made')
end
return 1
"""


class Receiver:
    """The effects of sagas, and the calls that made them or took them back."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def call(self, saga_id: str, key: str, kind: str, *note: object) -> bool:
        """Note a call, and `make` or `undo` the effect of a key. Returns False if that was taken back before."""
        keys = f"calls:{saga_id}", f"effects:{saga_id}"
        return bool(self._client.eval(_CALL, 2, *keys, key, kind, json.dumps(note)))

    def calls(self, saga_id: str) -> Sequence[Any]:
        """Return the notes of a saga's calls, in order."""
        return [json.loads(each) for each in self._client.lrange(f"calls:{saga_id}", 0, -1)]

    def effects(self, saga_id: str) -> dict[str, str]:
        """Return ``made`` or ``undone`` for each record that had an effect."""
        found = self._client.hgetall(f"effects:{saga_id}")
        return {key.partition(":")[2]: state for key, state in found.items()}


@cache
def receiver_of(url: str) -> Receiver:
    """Return the receiver in a Redis."""
    return Receiver(Redis.from_url(url, decode_responses=True))


def receiver() -> Receiver:
    """Return the receiver that RECEIVER names."""
    return receiver_of(os.environ["RECEIVER"])
