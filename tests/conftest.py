"""What tests of several kinds share: a real Redis of their own, one for each worker of pytest."""

import os
from collections.abc import Iterator

# Before `tasks` is imported: a saga keeps the retry numbers of the process that started it.
os.environ.setdefault("AMENDS_TIME_SCALE", "0.01")

import pytest

from local import redis


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a real Redis."""
    with redis.running(tmp_path_factory.mktemp("redis")) as url:
        yield url
