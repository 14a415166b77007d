"""Workers that are told to end, as by a deployment, or by a RabbitMQ: what they run, what they have fetched, who is judged."""

import os
import re
import signal
import sys
import uuid

import pytest
from redis import Redis

from amends.log.liveness import DEAD_AFTER
from amends.log.saga_log import log_of
from demo import servers
from demo.log_user import as_log_user
from demo.programs import running
from demo.servers import find_rabbitmq
from tests.support.eventually import eventually
from tests.support.servers import skip_without

# Two looks of a sweep at a claim, 10 s each: at the second the worker has not beaten for longer than it may.
LONG = 2 * DEAD_AFTER + 3.0


class Worker(servers.Worker):
    """A worker of the small app."""

    def received(self, saga_id):
        """Tell how many messages of a saga it has fetched."""
        return len(re.findall(rf"\[{saga_id}\.\S+\] received", self.logged()))


class SlowApp:
    """The app as a client sees it, and its workers."""

    def __init__(self, directory, settings):
        self._directory = directory
        self._settings = settings
        self._workers = []
        self.queue = settings["QUEUE"]
        # It reads its settings when it is imported.
        from tests.acceptance import slow_app as module  # noqa: PLC0415

        self._module = module
        module.app.conf.update(
            broker_url=settings["CELERY_BROKER_URL"],
            amends_backend=settings["AMENDS_BACKEND"],
            task_default_queue=self.queue,
        )
        module.app.close()
        module.app.amqp._producer_pool = None
        self.app = module.app
        self.app.set_current()
        self.app.set_default()

    def worker(self, name, *, pool="prefork", concurrency=1, queue=None, **settings):
        worker = Worker(
            name,
            directory=self._directory,
            application="tests.acceptance.slow_app",
            environment={**self._settings, **settings},
            pool=pool,
            concurrency=concurrency,
            queues=queue or self.queue,
        )
        self._workers.append(worker)
        worker.start()
        return worker

    def start(self, dispatch="chain", **job):
        job_id = uuid.uuid4().hex
        return self._module.sagas[dispatch].start(
            self._module.Job(job_id=job_id, **job), saga_id=job_id
        )

    def owner_of(self, handle):
        """Wait until a saga's work is claimed, and tell the pid of who has it."""
        eventually(lambda: self._fields(handle).get("1.o"))
        return int(self._fields(handle)["1.o"].split(":")[1])

    def end(self):
        for worker in self._workers:
            worker.kill()

    def _fields(self, handle):
        return log_of(self.app).read_saga(handle.id).fields


def events(handle, name):
    return [event for event in handle.history() if event.name == name]


@pytest.fixture
def impatient_url(tmp_path):
    """Give the URL of a RabbitMQ that closes the channel of a message which is not acknowledged in 2 s."""
    skip_without(find_rabbitmq)
    settings = {"consumer_timeout": 2_000, "channel_tick_interval": 500}  # milliseconds
    broker = servers.RabbitServer("impatient", directory=tmp_path, settings=settings)
    with running(broker):
        yield broker.url


@pytest.fixture
def broker_url(request, redis_url):
    kind = getattr(request, "param", "redis")
    return f"{redis_url}/7" if kind == "redis" else request.getfixturevalue(f"{kind}_url")


@pytest.fixture
def slow_app(broker_url, redis_url, tmp_path, monkeypatch):
    """Give the small app, without workers."""
    settings = {
        "CELERY_BROKER_URL": broker_url,
        "AMENDS_BACKEND": as_log_user(f"{redis_url}/8"),
        # Nothing of the test before, whose workers were killed.
        "QUEUE": uuid.uuid4().hex,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with Redis.from_url(f"{redis_url}/8") as client:
        client.flushdb()
    for name in ("CELERY_BROKER_URL", "AMENDS_BACKEND", "QUEUE"):
        monkeypatch.setenv(name, settings[name])
    slow_app = SlowApp(tmp_path, settings)
    try:
        yield slow_app
    finally:
        slow_app.end()


@pytest.mark.parametrize(
    ("broker_url", "pool"),
    [("redis", "prefork"), ("redis", "threads"), ("rabbitmq", "prefork")],
    indirect=["broker_url"],
)
def test_what_a_stopping_worker_has_fetched_and_not_begun_goes_on_elsewhere_at_once(slow_app, pool):
    # Without sweeps, which would find what it keeps to itself some seconds later.
    settings = {"PREFETCH_MULTIPLIER": "4", "SWEEP_INTERVAL": "3600"}
    stopping = slow_app.worker("stopping", pool=pool, **settings)
    stopping.await_ready()
    waiting = slow_app.start(wait=5.0)
    eventually(lambda: stopping.received(waiting.id) == 2)  # and the one with its countdown
    long = slow_app.start(seconds=100.0)
    slow_app.owner_of(long)
    fetched = [slow_app.start() for _ in range(3)]
    eventually(lambda: all(stopping.received(handle.id) for handle in fetched))
    slow_app.worker("another", **settings).await_ready()
    stopping.ask_to_stop()
    for handle in (*fetched, waiting):
        assert handle.wait(timeout=60).outcome == "completed"
    assert long.snapshot().steps["work"].state == "running"


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_stopping_worker_leaves_to_others_what_it_would_go_on_with_inline(slow_app, pool):
    stopping = slow_app.worker("stopping", pool=pool)
    stopping.await_ready()
    handle = slow_app.start(dispatch="inline", seconds=3.0)
    slow_app.owner_of(handle)
    stopping.ask_to_stop()
    eventually(lambda: not stopping.runs)
    assert handle.snapshot().steps["hand_over"].state == "pending"
    slow_app.worker("another").await_ready()
    assert handle.wait(timeout=60).outcome == "completed"
    assert not events(handle, "step.retrying")


def test_of_workers_that_end_slowly_nobody_is_declared_dead_and_of_one_that_ends_at_once_its_step_is(
    slow_app,
):
    judge = slow_app.worker("judge", queue="none", concurrency=4, JUDGES_AFTER="1")
    slow = [slow_app.worker(pool, pool=pool) for pool in ("prefork", "threads")]
    cold = slow_app.worker("cold", LINGER="3")  # longer than from one beat to the next
    for worker in (judge, *slow, cold):
        worker.await_ready()
    sagas = {
        slow_app.owner_of(handle): handle
        for handle in [slow_app.start(seconds=LONG) for _ in range(3)]
    }
    lost = next(handle for pid, handle in sagas.items() if pid in cold.children)
    kept = [handle for handle in sagas.values() if handle is not lost]
    slow_app.app.control.add_consumer(
        slow_app.queue, destination=[f"judge@{os.uname().nodename}"], reply=True
    )
    os.kill(cold.pid, signal.SIGQUIT)
    for worker in slow:
        worker.ask_to_stop()
    for handle in kept:
        assert handle.wait(timeout=60).outcome == "completed"
        assert not [*events(handle, "step.retrying"), *events(handle, "step.late")]
    for worker in slow:
        eventually(lambda worker=worker: not worker.runs)
    eventually(lambda: len(events(lost, "step.started")) == 2)
    retried = events(lost, "step.retrying")
    assert [event.details["error"]["type"] for event in retried] == ["WorkerLostError"]


@pytest.mark.parametrize("broker_url", ["impatient"], indirect=True)
@pytest.mark.parametrize("pool", ["prefork", "threads"])
@pytest.mark.parametrize("dispatch", ["chain", "inline"])
def test_a_saga_whose_message_is_held_for_longer_than_rabbitmq_waits_ends_once(
    slow_app, tmp_path, dispatch, pool
):
    calls = tmp_path / "calls"
    workers = [slow_app.worker(name, pool=pool, CALLS=str(calls)) for name in ("one", "two")]
    for worker in workers:
        worker.await_ready()
    handle = slow_app.start(dispatch, wait=8.0)  # in which a worker holds its message
    eventually(lambda: any(not worker.runs for worker in workers))

    def ended():
        for worker in workers:
            worker.start()  # as a supervisor does
        return handle.status == "completed"

    eventually(ended, timeout=120)
    assert (
        calls.read_text().split() == [handle.id] * 2
    )  # the attempt that asked to wait, and the next
    assert len(events(handle, "saga.finished")) == 1
