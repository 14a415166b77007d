"""A log and its broker as a file of JSON: keys, types and values, with each time told from the moment they were read."""

import gzip
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from redis import Redis

FILE: Final = Path(__file__).parent / "left_behind.json.gz"
LOG, BROKER, RECEIVER = 3, 2, 4
"""Databases of a Redis."""

_TIME: Final = re.compile(r"(?<!\d)\d{13}(?!\d)")  # ms since 1970
_TOLD: Final = re.compile(r"<([+-]\d+) ms>")
_NEAR: Final = 86_400_000

Key = tuple[str, Any]
"""Type and value."""


def client_of(url: str, database: int) -> Any:
    """Return a client of one of the databases."""
    return Redis.from_url(f"{url}/{database}", decode_responses=True)


def read_database(client: Any, now: int) -> dict[str, Key]:
    """Read all keys, with times as ms from `now`."""

    def told(text: str) -> str:
        return _TIME.sub(lambda found: _as_told(int(found[0]), now), text)

    return {told(key): _read(client, key, told) for key in sorted(client.keys("*"))}


def write_database(client: Any, keys: Mapping[str, Key], now: int) -> None:
    """Write such keys, as if they had been read at `now`."""

    def real(text: str) -> str:
        return _TOLD.sub(lambda found: str(now + int(found[1])), text)

    with client.pipeline(transaction=False) as pipeline:
        for key, (kind, value) in keys.items():
            match kind:
                case "string":
                    pipeline.set(real(key), real(value))
                case "hash":
                    pipeline.hset(real(key), mapping={real(k): real(v) for k, v in value.items()})
                case "list":
                    pipeline.rpush(real(key), *map(real, value))
                case "set":
                    pipeline.sadd(real(key), *map(real, value))
                case "zset":
                    scores = {real(member): float(real(at)) for member, at in value.items()}
                    pipeline.zadd(real(key), scores)
        pipeline.execute()


def now_of(client: Any) -> int:
    """Return a Redis's time in ms."""
    seconds, micros = client.time()
    return int(seconds) * 1000 + int(micros) // 1000


def read_file() -> Any:
    """Read the file."""
    return json.loads(gzip.decompress(FILE.read_bytes()))


def write_file(contents: Any) -> None:
    """Write the file, alike for alike contents."""
    text = json.dumps(contents, indent=0, sort_keys=True)
    FILE.write_bytes(gzip.compress(text.encode(), mtime=0))


def _as_told(at: int, now: int) -> str:
    return f"<{at - now:+d} ms>" if abs(at - now) < _NEAR else str(at)


def _read(client: Any, key: str, told: Callable[[str], str]) -> Key:
    kind: str = client.type(key)
    match kind:
        case "string":
            value: Any = told(client.get(key))
        case "hash":
            value = {told(k): told(v) for k, v in sorted(client.hgetall(key).items())}
        case "list":
            value = [told(each) for each in client.lrange(key, 0, -1)]
        case "set":
            value = sorted(told(each) for each in client.smembers(key))
        case "zset":
            found = client.zrange(key, 0, -1, withscores=True)
            value = {told(member): told(f"{at:.0f}") for member, at in found}
        case _:
            raise TypeError(f"{key} is a {kind}")
    return kind, value
