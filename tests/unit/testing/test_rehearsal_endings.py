"""What leaves an activity ends its attempt in a rehearsal as in a worker; Ctrl-C and the test's own failure do not."""

import signal

import pytest
from pydantic import BaseModel

from amends import RetryPolicy, Saga, Step, activity

TWICE = RetryPolicy(max_attempts=2, initial_interval=1.0)


class Ask(BaseModel):
    error: str


class Outcome(BaseModel):
    outcome: str


class Farewell(BaseException):
    pass


ERRORS = {each.__name__: each for each in (SystemExit, MemoryError, GeneratorExit, Farewell)}
ERRORS |= {"KeyboardInterrupt": KeyboardInterrupt}


@activity(retry=TWICE)
def leave(ask: Ask) -> None:
    raise ERRORS[ask.error]


@activity
def come_back(ask: Ask, nothing: None) -> None:
    """Come back."""


saga = Saga("leaving", input=Ask, output=Outcome, steps=[Step(leave, compensation=come_back)])


@pytest.mark.parametrize("error", ["SystemExit", "MemoryError", "GeneratorExit", "Farewell"])
def test_s18_whatever_leaves_an_activity_is_an_attempt(rehearsal, error):
    handle = saga.start(Ask(error=error))
    assert (handle.status, handle.snapshot().steps["leave"].attempts) == ("compensated", 2)
    assert handle.snapshot().steps["leave"].error.startswith(f"{error}: ")
    assert [type(call.error).__name__ for call in rehearsal.calls[:2]] == [error, error]


def test_it_may_be_scripted(rehearsal):
    rehearsal.at(saga, "leave").raises(Farewell("bye"), times=2)
    assert saga.start(Ask(error="")).snapshot().steps["leave"].error == "Farewell: bye"


def test_ctrl_c_ends_the_test(rehearsal):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            saga.start(Ask(error="KeyboardInterrupt"))
    finally:
        signal.signal(signal.SIGINT, before)
