"""What tests of several kinds share: a real Redis and RabbitMQ of their own, one for each worker of pytest."""

import os
from collections.abc import Iterator

# Before `tasks` is imported: a saga keeps the retry numbers of the process that started it.
os.environ.setdefault("AMENDS_TIME_SCALE", "0.01")

import pytest

from local import rabbitmq, redis
from local.supervision import owned


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a real Redis."""
    with redis.running(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a real RabbitMQ, where one is installed."""
    try:
        rabbitmq.find_server()
    except rabbitmq.RabbitMQMissing as missing:
        pytest.skip(str(missing))
    with (
        owned(tmp_path_factory.mktemp("rabbitmq")) as owner,
        rabbitmq.started(owner, echo=False) as url,
    ):
        yield url
