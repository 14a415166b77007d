"""A primary that Sentinels name no longer is left, though it takes writes still."""

import uuid

import pytest
from celery import Celery
from redis import Redis

from amends import CircuitBreaker
from demo.programs import running
from demo.servers import RedisServer
from tests.support.engine_saga import Job, job_saga
from tests.support.eventually import eventually
from tests.support.redis_sentinels import MASTER, SentinelServer

pytestmark = pytest.mark.servers


@pytest.fixture
def servers(tmp_path):
    """Give two primaries that know nothing of each other, and a Sentinel that names the first."""
    old, new = (RedisServer(f"redis{k}", directory=tmp_path) for k in range(2))
    sentinel = SentinelServer("sentinel", directory=tmp_path, primary=old.port)
    with running(old, new, sentinel):
        yield old, new, sentinel


@pytest.fixture(params=[True, False], ids=["fast", "plain"])
def app(request, servers):
    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    app.conf.update(
        amends_backend=f"sentinel://127.0.0.1:{servers[2].port}",
        amends_backend_options={"master_name": MASTER},
        amends_fast_path=request.param,
    )
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()


def test_sagas_and_breakers_go_to_the_primary_that_is_named_now(app, servers):
    old, new, sentinel = servers
    breaker = CircuitBreaker(
        f"payments-{uuid.uuid4().hex}", failure_on=(OSError,), failure_threshold=1000
    )

    def keys(server, pattern):
        return Redis.from_url(server.url).keys(pattern)

    def writes_to(server):
        saga_id = uuid.uuid4().hex
        job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
        with pytest.raises(OSError, match="nobody answers"):
            breaker.call(fail)
        return keys(server, f"*saga:{saga_id}") and keys(server, "*payments-*")

    assert writes_to(old)
    client = Redis.from_url(sentinel.url)
    client.execute_command("SENTINEL", "REMOVE", MASTER)
    client.execute_command("SENTINEL", "MONITOR", MASTER, "127.0.0.1", new.port, 2)
    eventually(lambda: writes_to(new))
    assert Redis.from_url(old.url).info()["role"] == "master"


def fail():
    raise OSError("nobody answers")
