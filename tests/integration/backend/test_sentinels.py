"""Sentinels name the primary: of the log, and of circuit breakers, before and after they chose another one."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import Celery

import amends
from amends import CircuitBreaker, LogUnavailable
from amends.dispatch.in_process import run_here
from amends.log.saga_log import log_of
from tests.support.engine_saga import Job, job_saga
from tests.support.eventually import eventually
from tests.support.redis_sentinels import watched

pytestmark = pytest.mark.servers


@pytest.fixture
def servers(tmp_path):
    with watched(tmp_path) as servers:
        yield servers


@pytest.fixture(params=[True, False], ids=["fast", "plain"])
def app(request, servers):
    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    app.conf.update(
        amends_backend=servers.url,
        amends_backend_options=servers.options,
        amends_fast_path=request.param,
    )
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()


@pytest.fixture
def pool():
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.mark.parametrize("how", ["is frozen", "is handed over"])
def test_a_saga_and_its_wait_go_on_with_the_primary_that_sentinels_chose(app, servers, pool, how):
    saga_id = uuid.uuid4().hex
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    old, waits = servers.primary, log_of(app).waits
    wait = pool.submit(amends.get(saga_id).wait, 120)

    def hears(server):
        return servers.client(server).pubsub_numsub(waits.subscription.channel)[0][1]

    eventually(lambda: hears(old))
    client = servers.client(old)
    client.incr("written")  # WAIT is about what its own connection wrote last
    client.wait(len(servers.servers) - 1, 20_000)
    if how == "is frozen":
        old.freeze()
    else:
        servers.client(servers.sentinels[0]).execute_command("SENTINEL FAILOVER", "orders")

    def goes_on():
        try:
            run_here(app, saga_id)
        except LogUnavailable:
            return False
        return True

    eventually(lambda: servers.primary is not old)
    eventually(lambda: hears(servers.primary))
    eventually(goes_on)
    assert wait.result(60)["outcome"] == "completed"
    assert amends.get(saga_id).outcome == "completed"
    breaker = CircuitBreaker(f"payments-{saga_id}", failure_on=(OSError,))
    assert breaker.call(lambda: 1) == 1
