"""Sentinels name the primary: of the log, and of circuit breakers, before and after they chose another one."""

import uuid

import pytest
from celery import Celery

import amends
from amends import CircuitBreaker, LogUnavailable
from amends.dispatch.coordinator import run_here
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


@pytest.mark.parametrize("how", ["is frozen", "is handed over"])
def test_a_saga_goes_on_with_the_primary_that_sentinels_chose(app, servers, how):
    saga_id = uuid.uuid4().hex
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    old = servers.primary
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
    eventually(goes_on)
    assert amends.get(saga_id).outcome == "completed"
    breaker = CircuitBreaker(f"payments-{saga_id}", failure_on=(OSError,))
    assert breaker.call(lambda: 1) == 1
