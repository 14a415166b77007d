"""The health file: when it is touched, and what it says."""

import logging
import os
from types import SimpleNamespace

import pytest

from amends import ConfigurationError
from amends.worker.health_file import AWAY, READY, STANDS_AFTER, Health, health_of


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def health(tmp_path, clock):
    health = Health(tmp_path / "worker", clock=clock)
    health.begin()
    return health


def is_touched(health):
    """Tell whether the file is touched by the next heartbeat."""
    os.utime(health.path, (0, 0))
    health.tell(is_ready=True)
    return health.path.stat().st_mtime > 0


@pytest.fixture
def told(caplog):
    """Give what is logged, also where a worker in this process has quieted the loggers."""
    caplog.set_level(logging.WARNING, logger="amends.worker.health_file")
    return caplog


def test_a_worker_that_lives_touches_its_file_with_every_heartbeat(health):
    assert is_touched(health)
    assert is_touched(health)


def test_a_worker_that_does_not_reach_the_log_lives_and_is_not_ready(health):
    assert health.path.read_text() == AWAY
    health.tell(is_ready=True)
    assert health.path.read_text() == READY
    os.utime(health.path, (0, 0))
    health.tell(is_ready=False)
    assert health.path.stat().st_mtime > 0
    assert health.path.read_text() == AWAY


def test_a_worker_whose_main_loop_stands_does_not_touch_it(health, clock, told):
    health.note_loop()
    clock.now += STANDS_AFTER - 1
    assert is_touched(health)
    clock.now += 2
    assert not is_touched(health)
    assert not is_touched(health)
    assert [record.message for record in told.records] == [
        f"the worker's main loop stands: {health.path} is left as it is"
    ]
    health.note_loop()
    assert is_touched(health)


def test_a_worker_without_a_connection_has_no_main_loop_to_stand(health, clock):
    health.note_loop()
    health.expect_no_loop()
    clock.now += 10 * STANDS_AFTER
    assert is_touched(health)


def test_a_worker_that_ends_removes_it_for_good(health):
    health.end()
    assert not health.path.exists()
    health.tell(is_ready=True)
    assert not health.path.exists()


def test_a_file_that_was_removed_is_made_again(health):
    health.tell(is_ready=True)
    health.path.unlink()
    health.tell(is_ready=True)
    assert health.path.read_text() == READY


def test_a_file_that_cannot_be_made_keeps_the_worker_from_starting(tmp_path):
    with pytest.raises(ConfigurationError, match=r"amends_health_file: .* make its folder"):
        Health(tmp_path / "missing" / "worker").begin()


def test_a_disk_that_is_full_later_is_told_of_and_ends_no_heartbeat(health, told):
    health.path.parent.rename(health.path.parent.with_name("elsewhere"))
    health.tell(is_ready=True)
    assert told.records[0].message.startswith("the health file cannot be written: ")


def test_two_workers_of_a_machine_have_a_file_each(tmp_path):
    workers = [SimpleNamespace(hostname=f"{name}@host.example") for name in ("a", "b")]
    paths = [health_of(worker, f"{tmp_path}/%n-%h").path.name for worker in workers]
    assert paths == ["a-host.example", "b-host.example"]
    assert health_of(workers[0], None) is None
