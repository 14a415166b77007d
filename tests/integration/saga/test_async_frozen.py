"""Coroutines while the log's Redis, and then the broker, stands still: no call waits in the loop's thread, and all end.

`python -m tests.support.loop_stalls` measures the same; here is what must hold on the busiest machine.
"""

import asyncio
import threading

import pytest
from celery import Celery

from amends import LogUnavailable, get
from amends.log.saga_log import log_of
from demo.programs import running
from demo.servers import RedisServer
from tests.support.blocking_calls import blocking_calls
from tests.support.engine_saga import Job, job_saga
from tests.support.eventually import eventually
from tests.support.loop_stalls import frozen, measure


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    directory = tmp_path_factory.mktemp("frozen")
    log, broker = (RedisServer(name, directory=directory) for name in ("log", "broker"))
    with running(log, broker):
        yield {"log": log, "broker": broker}


@pytest.fixture(scope="module", autouse=True)
def app(servers):
    app = Celery("frozen", broker=f"{servers['broker'].url}/0")
    app.conf.amends_backend = f"{servers['log'].url}/0"
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()


def of_pool():
    return [each for each in threading.enumerate() if each.name.startswith("amends-async")]


@pytest.mark.parametrize("name", ["log", "broker"])
def test_no_call_waits_in_the_loops_thread_and_the_threads_do_not_grow(servers, name):
    job_saga.start(Job(job_id=f"first-{name}"))  # what is made once
    with frozen(servers[name]), blocking_calls() as made:
        found = asyncio.run(measure("frozen", 1.0, f"frozen-{name}"))
    assert made, "nothing is seen at all"
    assert threading.get_ident() not in made
    assert len(of_pool()) <= 10
    assert found.ended


def test_a_wait_without_an_answer_is_given_up_by_the_loop(app, monkeypatch):
    """Its look hangs for longer than any time limit of a socket."""
    handle, held = job_saga.start(Job(job_id="hangs"), saga_id="hangs"), threading.Event()
    monkeypatch.setattr(log_of(app).waits, "read_status", lambda _: held.wait(100))

    async def wait():
        with pytest.raises(LogUnavailable, match=r"not told within 0\.1 s how saga 'hangs' is"):
            await handle.wait_async(0.1)

    asyncio.run(wait())
    held.set()


def test_a_start_that_was_cancelled_may_be_repeated_under_its_id(servers):
    job = Job(job_id="repeated")

    async def start():
        with frozen(servers["log"]), pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await job_saga.start_async(job, saga_id="repeated")
        return await job_saga.start_async(job, saga_id="repeated")

    asyncio.run(start())
    assert get("repeated").status == "pending"


def test_all_is_well_once_they_are_back(servers):
    async def go():
        handle = await job_saga.start_async(Job(job_id="after"), saga_id="after")
        return await handle.status_async()

    assert asyncio.run(go()) == "pending"
    eventually(lambda: not of_pool())  # they end when there is nothing to do
