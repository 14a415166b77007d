"""The proxy in front of the saga log: what it cuts, and what got through nevertheless."""

from collections.abc import Iterator

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Cut
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

from demo.servers import own_redis
from tests.chaos.proxy import Proxy, proxies_to


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run a Redis and give its port."""
    with own_redis(tmp_path_factory.mktemp("redis")) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture
def proxies(server: int) -> Iterator[list[Proxy]]:
    with proxies_to(server, 2) as proxies:
        yield proxies
    Redis(port=server).flushall()


def client(port: int) -> Redis:
    """Give a client that tries once."""
    return Redis(port=port, socket_timeout=0.5, retry=Retry(NoBackoff(), 0))


def test_what_is_asked_is_answered(proxies):
    assert client(proxies[0].port).incr("n") == 1
    assert client(proxies[0].port).set("much", "x" * 300_000)
    assert len(client(proxies[0].port).get("much")) == 300_000


def test_an_answer_is_lost_after_the_request_went_through(proxies, server):
    through = client(proxies[0].port)
    through.ping()
    proxies[0].lose_answers(1)
    with pytest.raises(Cut):
        through.incr("n")
    assert client(server).get("n") == b"1"
    assert through.incr("n") == 2
    assert proxies[0].lost == 1


def test_a_refused_request_never_gets_through(proxies, server):
    through = client(proxies[0].port)
    through.ping()
    proxies[0].refuse()
    for _ in range(2):
        with pytest.raises(RedisError):
            through.incr("n")
    assert client(server).get("n") is None
    proxies[0].heal()
    assert through.incr("n") == 1


def test_a_muted_line_passes_requests_and_no_answers_until_it_heals(proxies, server):
    through = client(proxies[0].port)
    through.ping()
    proxies[0].mute()
    with pytest.raises(NoAnswer):
        through.incr("n")
    assert client(server).get("n") == b"1"
    proxies[0].heal()
    assert through.incr("n") == 2


def test_one_line_is_cut_without_the_other(proxies):
    through, beside = (client(proxy.port) for proxy in proxies)
    beside.ping()
    proxies[0].refuse()
    with pytest.raises(RedisError):
        through.ping()
    assert beside.ping()


def test_with_the_server_away_the_proxy_refuses_and_stays():
    with proxies_to(1, 1) as (proxy,):
        for _ in range(2):
            with pytest.raises(RedisError):
                client(proxy.port).ping()
