"""Sagas on each kind of worker pool: the way forward, the way back, and attempts past their time."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
import uuid

import pytest

from amends import NotDone
from amends.log.saga_log import log_of
from tests.support.link_client import LinkClient

pytestmark = pytest.mark.servers
POOLS = ["prefork", "threads", "solo", "gevent"]


@pytest.fixture(scope="module")
def shop(redis_url):
    """Import the app as a client that shares its log and broker."""
    urls = {"CELERY_BROKER_URL": f"{redis_url}/4", "AMENDS_BACKEND": f"{redis_url}/5"}
    before = {name: os.environ.get(name) for name in urls}
    os.environ.update(urls)
    from tests.integration.pools import shop  # noqa: PLC0415 - it reads them when it is imported

    yield shop
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="module", params=POOLS)
def pool(request, shop, tmp_path_factory):
    """Run a worker with this pool while the tests with it run."""
    if request.param == "gevent" and importlib.util.find_spec("gevent") is None:
        pytest.skip("gevent is not installed")
    log = tmp_path_factory.mktemp(request.param) / "worker.log"
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "tests.integration.pools.shop",
        "worker",
        "--concurrency",
        "4",
    ]
    with log.open("w") as output:
        worker = subprocess.Popen(
            [*command, "--pool", request.param, "--without-mingle", "--without-gossip"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=output,
            stderr=output,
        )
        yield request.param
        worker.terminate()
        try:
            worker.wait(60)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def run(shop, manner, saga=None):
    shop.app.set_current()
    shop.app.set_default()
    job_id = f"{manner}-{uuid.uuid4().hex[:8]}"
    handle = (saga or shop.shop_saga).start(shop.Job(job_id=job_id, manner=manner), saga_id=job_id)
    return handle, handle.wait(timeout=60).outcome


def retried_after(handle):
    return [
        event.details["error"]["type"]
        for event in handle.history()
        if event.name == "step.retrying"
    ]


def test_a_saga_goes_forward(shop, pool):
    handle, outcome = run(shop, "quick")
    assert (handle.status, outcome) == ("completed", "completed")


def test_a_saga_goes_back(shop, pool):
    handle, outcome = run(shop, "refused")
    assert (handle.status, outcome) == ("compensated", "refused")
    assert handle.snapshot().steps["work"].state == "compensated"


@pytest.mark.parametrize("dispatch", ["chain", "inline"])
def test_a_saga_goes_on_by_a_link_that_its_activity_made(shop, pool, dispatch):
    shop.app.set_current()
    shop.app.set_default()
    job_id = uuid.uuid4().hex
    job = shop.Job(job_id=job_id, manner="quick")
    handle = shop.linked_sagas[dispatch].start(job, saga_id=job_id)
    url = handle.wait(timeout=60, until="send_link").url
    assert LinkClient(shop.app).post(url).status_code == 200
    handle.wait(timeout=60)
    assert handle.status == "completed"


def test_an_attempt_past_its_time_is_tried_again(shop, pool):
    handle, outcome = run(shop, "slow")
    assert outcome == "completed"
    assert handle.snapshot().steps["work"].attempts == 2
    # In prefork by Celery's soft limit, elsewhere by the log, which gives the attempt up.
    assert retried_after(handle) == ["TimeoutError"]


def test_an_attempt_that_takes_no_notice_of_its_limit_is_given_up_and_fenced(shop, pool):
    handle, outcome = run(shop, "obstinate")
    assert outcome == "completed"
    assert retried_after(handle) == ["TimeoutError"]
    if pool in ("prefork", "gevent"):
        return  # there the hard limit killed it, and it says nothing more
    until = time.monotonic() + 30
    while "step.late" not in [event.name for event in handle.history()]:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert handle.snapshot().steps["work"].attempts == 2


def test_steps_run_inline(shop, pool):
    handle, outcome = run(shop, "quick", shop.inline_saga)
    assert outcome == "completed"
    ids = {handle.snapshot().steps[name].attempts for name in ("approve", "work", "approve_again")}
    assert ids == {1}


@pytest.mark.parametrize("pool", ["prefork"], indirect=True)
def test_a_step_that_runs_inline_is_stopped_at_its_own_limit(shop, pool):
    """That of its message is the sum of all limits."""
    _, outcome = run(shop, "slow", shop.inline_saga)
    assert outcome == "stopped"


def test_an_inline_step_that_takes_no_notice_of_its_limit_is_given_up_and_fenced(shop, pool):
    handle, outcome = run(shop, "obstinate", shop.inline_saga)
    assert outcome == "completed"
    assert retried_after(handle) == ["TimeoutError"]


@pytest.mark.parametrize("pool", ["prefork"], indirect=True)
def test_a_call_whose_process_is_killed_at_its_hard_limit_is_a_failure_of_its_breaker(shop, pool):
    shop.app.set_current()
    shop.app.set_default()
    shop.breaker.reset()
    job_id = uuid.uuid4().hex
    handle = shop.grind_saga.start(shop.Job(job_id=job_id, manner=""), saga_id=job_id)
    assert handle.wait(timeout=60).outcome == "ground"
    assert shop.breaker.state == "open"
    opened = shop.breaker.history()[-1]
    assert (opened.name, opened.why) == ("breaker.opened", "killed after 1.5 s")


@pytest.mark.parametrize("pool", ["prefork"], indirect=True)
def test_a_call_that_was_over_is_not_blamed_for_a_later_step_of_its_message(shop, pool):
    def processes():
        with shop.app.connection_for_write() as connection:  # see `ping` in tests/support
            (stats,) = shop.app.control.inspect(timeout=5, connection=connection).stats().values()
        return set(stats["pool"]["processes"])

    run(shop, "quick")  # by now the worker has started
    before = processes()
    _, outcome = run(shop, "obstinate", shop.polite_saga)
    assert outcome == "completed"
    until = time.monotonic() + 30
    while before <= processes():  # its process is killed at the message's limit
        assert time.monotonic() < until
    assert [event.name for event in shop.polite.history()] == []


@pytest.mark.parametrize("pool", ["prefork"], indirect=True)
def test_a_probe_that_was_deferred_and_is_killed_then_opens_the_circuit_again(shop, pool):
    run(shop, "quick")  # by now the worker has started
    shop.crawling.reset()
    shop.crawling.acquire().failure(NotDone("away", retry_after=3.0))
    job_id = uuid.uuid4().hex
    handle = shop.crawl_saga.start(shop.Job(job_id=job_id, manner=""), saga_id=job_id)
    assert handle.wait(timeout=60).outcome == "crawled"
    assert retried_after(handle) == ["CircuitOpenError"]
    events = [(event.name, event.why) for event in shop.crawling.history()][-2:]
    assert events == [("breaker.half_opened", ""), ("breaker.opened", "killed after 1.5 s")]


@pytest.mark.parametrize("how", ["killed", "terminated"])
@pytest.mark.parametrize("pool", ["prefork"], indirect=True)
def test_the_place_of_a_probe_whose_process_is_killed_is_given_to_the_next_caller(shop, pool, how):
    """Its lease of five minutes would outlast the test."""
    shop.app.set_current()
    shop.app.set_default()
    shop.reopening.reset()
    shop.reopening.acquire().failure(TimeoutError())
    job_id = uuid.uuid4().hex
    handle = shop.linger_saga.start(shop.Job(job_id=job_id, manner=""), saga_id=job_id)
    until = time.monotonic() + 30
    while not (probes := shop.reopening.snapshot().probes):
        assert time.monotonic() < until
        time.sleep(0.05)
    if how == "killed":
        os.kill(int(shop.reopening.history()[-1].by.rpartition(":")[2]), signal.SIGKILL)
    else:
        task_id = next(iter(probes)).rpartition(":")[0]
        shop.app.control.revoke(task_id, terminate=True, signal="SIGKILL")
    assert handle.wait(timeout=90).outcome == "completed"
    closed = shop.reopening.history()[-1]
    assert closed.name == "breaker.closed"
    assert closed.details["token"] not in probes


MANY = 12


def start_wide(shop, manner, dispatch):
    shop.app.set_current()
    shop.app.set_default()
    job_id = f"{manner}-{uuid.uuid4().hex[:8]}"
    items = [shop.Item(number=n) for n in range(1, MANY + 1)]
    return shop.wide_sagas[dispatch].start(
        shop.Lot(job_id=job_id, manner=manner, items=items), saga_id=job_id
    )


@pytest.mark.parametrize("dispatch", ["chain", "inline"])
@pytest.mark.parametrize(("manner", "outcome"), [("quick", "completed"), ("refused", "refused")])
def test_stages_of_several_branches_go_forward_and_back(shop, pool, manner, outcome, dispatch):
    handle = start_wide(shop, manner, dispatch)
    assert handle.wait(timeout=60).outcome == outcome
    events = [event.record for event in handle.history() if event.name == "step.completed"]
    pieces = [f"piece[{n}]" for n in range(1, MANY + 1)]
    assert sorted(each for each in events if each.startswith("piece")) == sorted(pieces)
    undone = [event.record for event in handle.history() if event.name == "step.compensated"]
    expected = [f"{each}:undo" for each in pieces] if manner == "refused" else []
    assert sorted(each for each in undone if each.startswith("piece")) == sorted(expected)


@pytest.mark.parametrize("dispatch", ["chain", "inline"])
@pytest.mark.parametrize("pool", ["prefork"], indirect=True)
def test_a_branch_whose_process_is_killed_is_done_by_another_and_its_siblings_go_on(
    shop, pool, dispatch
):
    handle = start_wide(shop, "held", dispatch)
    log = log_of(shop.app)
    until = time.monotonic() + 60
    while True:
        record = log.read_saga(handle.id).records.get("piece[2]")
        if record is not None and record.claim and record.claim.owner:
            break
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(int(record.claim.owner.pid), signal.SIGKILL)
    assert handle.wait(timeout=90).outcome == "completed"
    started = [event.record for event in handle.history() if event.name == "step.started"]
    assert started.count("piece[2]") == 2
    assert {started.count(f"piece[{n}]") for n in range(1, MANY + 1)} <= {1, 2}


@pytest.mark.parametrize("dispatch", ["chain", "inline"])
@pytest.mark.parametrize("pool", ["prefork"], indirect=True)
def test_a_step_whose_process_is_killed_after_its_effect_is_asked_for_and_not_done_again(
    shop, pool, dispatch
):
    shop.app.set_current()
    shop.app.set_default()
    job_id = f"quick-{uuid.uuid4().hex[:8]}"
    job, payments = shop.Job(job_id=job_id, manner="quick"), shop.PAYMENTS / job_id
    handle = shop.paid_sagas[dispatch].start(job, saga_id=job_id)
    until = time.monotonic() + 60
    while not payments.exists() or not payments.read_text():
        assert time.monotonic() < until
        time.sleep(0.02)
    claim = log_of(shop.app).read_saga(job_id).records["pay"].claim
    os.kill(int(claim.owner.pid), signal.SIGKILL)
    assert handle.wait(timeout=90).outcome == "completed"
    assert payments.read_text() == "1"
    payments.unlink()
    events = [f"{event.name} {event.record}" for event in handle.history()]
    assert events.count("step.started pay") == 1
    assert "step.verified pay:verify" in events
