"""Async activities on each kind of worker pool: time limits, the end of their process, and greenlets."""

import os
import signal

import pytest

from tests.integration.pools.test_pools import pool, retried_after, run, shop  # noqa: F401 - fixtures
from tests.support.eventually import eventually

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
WITH_LOOPS = pytest.mark.parametrize("pool", ["prefork", "threads", "solo"], indirect=True)
EACH_WAY = pytest.mark.parametrize("dispatch", ["chain", "inline"])


@WITH_LOOPS
@EACH_WAY
def test_a_saga_of_coroutines_goes_forward_and_back(shop, pool, dispatch):  # noqa: F811
    saga = shop.brewed_sagas[dispatch]
    for manner, outcome, status in (
        ("quick", "completed", "completed"),
        ("refused", "refused", "compensated"),
    ):
        handle, found = run(shop, manner, saga)
        assert (found, handle.status) == (outcome, status)


@WITH_LOOPS
@EACH_WAY
def test_an_attempt_past_its_time_is_stopped_where_it_waits(shop, pool, dispatch):  # noqa: F811
    handle, outcome = run(shop, "slow", shop.brewed_sagas[dispatch])
    assert outcome == "completed"
    assert handle.snapshot().steps["brew"].attempts == 2
    assert retried_after(handle) == ["TimeoutError"]
    assert (shop.BREWS / handle.id).read_text() == "SoftTimeLimitExceeded"
    (shop.BREWS / handle.id).unlink()


@WITH_LOOPS
@EACH_WAY
def test_an_attempt_that_takes_no_notice_is_given_up(shop, pool, dispatch):  # noqa: F811
    handle, outcome = run(shop, "obstinate", shop.brewed_sagas[dispatch])
    assert outcome == "completed"
    assert retried_after(handle) == ["TimeoutError"]


@pytest.mark.parametrize("pool", ["prefork"], indirect=True)
@EACH_WAY
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_an_attempt_whose_process_ends_is_done_by_another(shop, pool, dispatch, end):  # noqa: F811
    run(shop, "quick")  # by now the worker has started
    job_id = f"held-{dispatch}-{end}-{os.urandom(4).hex()}"
    saga, noted = shop.brewed_sagas[dispatch], shop.BREWS / job_id
    handle = saga.start(shop.Job(job_id=job_id, manner="held"), saga_id=job_id)
    os.kill(int(eventually(lambda: noted.exists() and noted.read_text())), end)
    assert handle.wait(90).outcome == "completed"
    assert end == signal.SIGKILL or noted.read_text() == "SystemExit"  # the coroutine was told
    noted.unlink()


@pytest.mark.parametrize("pool", ["gevent"], indirect=True)
@EACH_WAY
def test_greenlets_leave_it_to_other_workers_with_a_sentence(shop, pool, dispatch):  # noqa: F811
    shop.app.set_current()
    shop.app.set_default()
    job_id = f"green-{os.urandom(4).hex()}"
    saga = shop.brewed_sagas[dispatch]
    handle = saga.start(shop.Job(job_id=job_id, manner="quick"), saga_id=job_id)
    told = eventually(lambda: [each for each in handle.history() if each.name == "step.retrying"])
    assert "greenlets of this pool (gevent) cannot run an event loop" in str(
        told[0].details["error"]
    )
    assert handle.snapshot().steps["brew"].attempts == 0
    handle.cancel()
