"""What a worker's main process says of a call whose process was killed."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from celery.worker.request import Request

from amends.activities.guard import GuardedCall
from amends.activities.request import GuardedRequest
from amends.log.owner import WorkerProcess

PID = 40_000  # of a process of the pool


@pytest.fixture
def told(monkeypatch):
    """Give what the breaker hears, by the name of its method."""
    told = []
    breaker = SimpleNamespace(
        report_killed=lambda token, **_: told.append(("failure", token)),
        release_killed=lambda token: told.append(("released", token)),
    )
    monkeypatch.setattr(GuardedRequest, "_breaker", property(lambda _: breaker))
    monkeypatch.setattr(GuardedRequest, "_longest", property(lambda _: 40.0))
    monkeypatch.setattr(Request, "on_timeout", lambda *_: None)
    return told


@pytest.fixture
def request_of(monkeypatch):
    """Give the request of a message that a process of the pool is at."""
    request = object.__new__(GuardedRequest)
    monkeypatch.setattr(GuardedRequest, "id", "o-1.1.ship", raising=False)
    monkeypatch.setattr(GuardedRequest, "request_dict", {"retries": 2}, raising=False)
    monkeypatch.setattr(GuardedRequest, "worker_pid", PID, raising=False)
    monkeypatch.setattr(GuardedRequest, "time_start", None, raising=False)
    return request


@pytest.fixture
def call(monkeypatch):
    """Give a call that this process makes as if it were that one."""
    monkeypatch.setattr("amends.activities.guard.os.getpid", lambda: PID)
    return GuardedCall(SimpleNamespace(record=lambda _: None), limit=30.0)


def test_a_process_that_was_killed_in_its_call_has_failed(told, request_of, call):
    with call:
        request_of.on_timeout(soft=False, timeout=40.0)
    assert told == [("failure", "o-1.1.ship:2")]


@pytest.mark.parametrize("error", [None, ValueError("no")])
def test_one_that_was_killed_after_its_call_had_ended_says_nothing(told, request_of, call, error):
    try:
        with call:
            if error:
                raise error
    except ValueError:
        pass
    request_of.on_timeout(soft=False, timeout=40.0)
    assert told == [("released", "o-1.1.ship:2")]


def test_one_that_was_killed_before_its_call_began_says_nothing(told, request_of):
    WorkerProcess.current.note_call(PID, begins=False)
    request_of.on_timeout(soft=False, timeout=40.0)
    assert told == [("released", "o-1.1.ship:2")]


def test_another_process_is_not_taken_for_it(told, request_of):
    WorkerProcess.current.note_call(PID + 1, begins=True)
    request_of.on_timeout(soft=False, timeout=40.0)
    WorkerProcess.current.note_call(PID + 1, begins=False)
    assert told == [("released", "o-1.1.ship:2")]


def test_a_message_of_several_steps_says_nothing_at_all(told, request_of, call):
    with call:
        request_of.on_timeout(soft=False, timeout=70.0)
    assert told == []


@pytest.fixture
def fork():
    def fork(act):
        pid = os.fork()
        if not pid:
            act(os.getpid())
            os._exit(0)
        os.waitpid(pid, 0)
        return pid

    return fork


def test_a_forked_child_says_to_its_parent_that_it_calls(fork):
    """The memory is shared by what is forked."""
    assert WorkerProcess.current.is_calling(
        fork(lambda pid: WorkerProcess.current.note_call(pid, begins=True))
    )


@pytest.mark.parametrize("is_dead", [False, True])
def test_a_limit_says_of_a_process_that_it_lived_until_then_unless_it_had_died(
    told, request_of, monkeypatch, is_dead
):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        monkeypatch.setattr(GuardedRequest, "worker_pid", child.pid)
        monkeypatch.setattr(WorkerProcess.current, "killed", {})
        if is_dead:
            child.stdin.close()
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        request_of.on_timeout(soft=False, timeout=40.0)
        assert (child.pid in WorkerProcess.current.killed) is not is_dead
