"""The parts of the system, killed, frozen and started again one by one."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis

from tests.chaos.system import System, running_system

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(tmp_path_factory.mktemp("system")) as whole:
        yield whole


def eventually(holds: Callable[[], bool], *, timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)


def test_a_killed_worker_takes_its_children_with_it_and_starts_again(whole):
    worker = whole.workers["orders-1"]
    pids = [worker.pid, *worker.children]
    assert len(pids) == 5
    worker.kill()
    assert not worker.runs
    eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    worker.start(wait=True)
    assert worker.pid not in pids
    assert worker.answers()


def test_a_frozen_worker_stands_still_with_its_children_until_it_is_thawed(whole):
    worker = whole.workers["orders-2"]
    worker.freeze()
    family = [psutil.Process(pid) for pid in (worker.pid, *worker.children)]
    assert {process.status() for process in family} == {psutil.STATUS_STOPPED}
    assert (worker.runs, worker.frozen) == (True, True)
    worker.thaw()
    eventually(lambda: all(process.status() != psutil.STATUS_STOPPED for process in family))
    assert not worker.frozen


@pytest.mark.parametrize("name", ["log", "broker"])
def test_a_killed_redis_comes_back_where_it_was_with_what_it_had(whole, name):
    server = getattr(whole, name)
    with Redis.from_url(server.url) as client:
        client.set("kept", "1")
    server.kill()
    assert not server.answers()
    server.start(wait=True)
    with Redis.from_url(server.url) as client:
        assert client.get("kept") == b"1"


def test_what_was_killed_or_frozen_is_all_there_after_a_start(whole):
    whole.services.kill()
    whole.broker.freeze()
    whole.workers["compensations"].kill()
    whole.lines["orders-1"].refuse()
    whole.heal()
    assert all(program.answers() for program in whole.programs)


def test_nothing_is_left_after_the_system(tmp_path: Path):
    with running_system(tmp_path, pool="threads") as whole:
        pids = [program.pid for program in whole.programs]
        whole.workers["orders-1"].freeze()
    eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids))
