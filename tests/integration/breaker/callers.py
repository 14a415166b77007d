"""Callers of a service that is down, in this process and in forked ones."""

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable
from typing import Any, BinaryIO

import pytest

from amends import CircuitBreaker

FORK = multiprocessing.get_context("fork")


class ServerError(Exception):
    """What the service raises when it is down."""


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(ServerError), breaker:
            raise ServerError("down")


def in_processes(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Run `act` in so many forked children, and return what it answers in each.

    By the system's own fork: after multiprocessing's, kombu closes the connections to brokers that its parent has, and
    waits for what they wait for.
    """
    children = [_forked(act, number) for number in range(count)]
    try:
        told = [pickle.loads(answers.read()) for _, answers in children]  # noqa: S301 - ours
    except BaseException:
        for pid, _ in children:
            os.kill(pid, signal.SIGKILL)
        raise
    finally:
        ended = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, _ in children]
        for _, answers in children:
            answers.close()
    assert ended == [0] * count, told
    return told


def _forked(act: Callable[[int], Any], number: int) -> tuple[int, BinaryIO]:
    """Fork a child; answers its pid, and what its answer comes by."""
    ours, its = os.pipe()
    pid = os.fork()
    if pid:
        os.close(its)
        return pid, os.fdopen(ours, "rb")
    status = 1
    try:
        answer, status = act(number), 0
    except BaseException as error:  # noqa: BLE001 - the parent tells of it
        answer = error
    finally:
        with os.fdopen(its, "wb") as answers:
            pickle.dump(answer, answers)
        os._exit(status)
