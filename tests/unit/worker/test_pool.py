"""The processes of a worker's pool that live."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from amends.worker.pool import live_processes


@pytest.fixture
def dead():
    """Give the id of a child that has died, and that nobody has reaped."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    yield child.pid
    child.wait()


def pool(*pids):
    return SimpleNamespace(info={"processes": list(pids)})


def test_one_that_died_is_left_out_while_celery_still_lists_it(dead):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as alive:
        assert live_processes(pool(dead, alive.pid)) == [alive.pid]
    assert os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT).si_pid == dead


def test_so_is_one_that_was_reaped():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert live_processes(pool(child.pid)) == []


def test_one_that_is_about_to_be_forked_has_no_id():
    assert live_processes(pool(None, os.getpid())) == [os.getpid()]


def test_a_solo_pool_has_the_worker_itself():
    assert live_processes(pool(os.getpid())) == [os.getpid()]


def test_where_the_system_cannot_tell_all_live(dead, monkeypatch):
    monkeypatch.delattr(os, "waitid")
    assert live_processes(pool(dead)) == [dead]


@pytest.mark.parametrize("gone", [SimpleNamespace(info={}), SimpleNamespace()])
def test_a_pool_without_processes_has_none(gone):
    assert live_processes(gone) == []
