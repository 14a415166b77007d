"""The time limit of one step of several under a message."""

import signal
import threading
import time

import pytest
from billiard.pool import SIG_SOFT_TIMEOUT, soft_timeout_sighandler
from celery.exceptions import SoftTimeLimitExceeded

from amends.activities import soft_limit
from amends.activities.soft_limit import timed_out


@pytest.fixture
def pool():
    """Handle the signal as a process of the pool does."""
    before = signal.signal(SIG_SOFT_TIMEOUT, soft_timeout_sighandler)
    soft_limit.alarm_of.cache_clear()
    yield
    signal.signal(SIG_SOFT_TIMEOUT, before)
    soft_limit.alarm_of.cache_clear()


def test_it_strikes_inside(pool):
    with pytest.raises(SoftTimeLimitExceeded), soft_limit.soft_limit(0.01):
        threading.Event().wait(30)


def test_a_process_that_is_no_pools_has_none():
    with soft_limit.soft_limit(0.0):
        threading.Event().wait(0.05)


def test_it_sends_nothing_to_a_handler_that_is_not_the_pools(pool):
    heard = []
    with soft_limit.soft_limit(0.01):
        signal.signal(SIG_SOFT_TIMEOUT, lambda *_: heard.append("signal"))
        threading.Event().wait(0.1)
    assert heard == []


def test_one_that_goes_off_as_the_call_ends_comes_too_late(pool, monkeypatch):
    class GoesOffMeanwhile:
        def __init__(self):
            self.cleared = 0

        def set(self, at):
            assert at > time.monotonic()

        def clear(self):
            self.cleared += 1
            if self.cleared == 1:
                signal.raise_signal(SIG_SOFT_TIMEOUT)

    alarm = GoesOffMeanwhile()
    monkeypatch.setattr(soft_limit, "alarm_of", lambda _: alarm)
    with soft_limit.soft_limit(30):
        result = "returned"
    assert result == "returned"
    assert alarm.cleared == 2


@pytest.mark.parametrize(
    ("took", "said"),
    [
        (3.0, "no answer after 3 s"),
        (3.4, "no answer after 3 s"),
        (18.2, "no answer after 3 s, given up after 18 s"),
    ],
)
def test_the_error_says_when_it_was_noticed_if_that_was_later(took, said):
    assert str(timed_out(3.0, took=took)) == said
