"""Callers of a service that is down, in this process and in forked ones."""

import multiprocessing
from collections.abc import Callable
from typing import Any

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
    """Run `act` in so many forked children, and return what it answers in each."""
    answers = FORK.SimpleQueue()

    def child(number: int) -> None:
        try:
            answers.put((number, act(number)))
        except BaseException as error:
            answers.put((number, error))
            raise

    children = [FORK.Process(target=child, args=(number,), daemon=True) for number in range(count)]
    try:
        for each in children:
            each.start()
        told = dict(answers.get() for _ in children)
        for each in children:
            each.join(60)
            assert each.exitcode == 0, told
    finally:
        for each in children:
            each.kill()
    return [told[number] for number in range(count)]
