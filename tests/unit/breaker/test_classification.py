"""What an error says about the service: it failed, it lives, or nothing."""

from contextlib import contextmanager

import pytest
from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded

from amends import CircuitBreaker, CircuitOpenError, NotDone, Refused
from amends.breaker.classification import failure_of
from amends.breaker.states import Outcome


class HttpError(Exception):
    pass


class NotFoundError(HttpError):
    pass


class UnpicklableError(HttpError):
    def __init__(self):
        super().__init__()
        self.lines = (each for each in ())


class UnpicklableNotFoundError(UnpicklableError):
    pass


class LooseError(Exception):
    def __init__(self):
        super().__init__()
        self.lines = (each for each in ())


breaker = CircuitBreaker(
    "outcomes",
    failure_on=(HttpError, LooseError, NotDone, OSError),
    success_on=(UnpicklableNotFoundError, NotFoundError),
)


def retry_of(error, *, is_given=False, cause=None):
    """Raise as a task does that asks for a retry where it handles an error."""
    with pytest.raises(Retry) as raised, handled(error):
        raise Retry(exc=error if is_given else None) from cause
    return raised.value


@contextmanager
def handled(error):
    try:
        raise error
    except type(error):
        yield


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, Outcome.SUCCESS),
        (HttpError(), Outcome.FAILURE),
        (NotFoundError(), Outcome.SUCCESS),
        (ConnectionRefusedError(), Outcome.FAILURE),
        (NotDone("busy"), Outcome.FAILURE),
        (Refused("no"), Outcome.NEUTRAL),
        (ValueError("a bug of the caller"), Outcome.NEUTRAL),
        (SoftTimeLimitExceeded(), Outcome.NEUTRAL),
        (KeyboardInterrupt(), Outcome.NEUTRAL),
        (Ignore(), Outcome.NEUTRAL),
        (Reject(), Outcome.NEUTRAL),
        (Retry(), Outcome.NEUTRAL),
        (Retry(exc=HttpError()), Outcome.FAILURE),
        (Retry(exc=NotFoundError()), Outcome.SUCCESS),
        (Retry(exc=ValueError()), Outcome.NEUTRAL),
        (Retry(exc=Ignore()), Outcome.NEUTRAL),
        (Retry(exc=Retry(exc=HttpError())), Outcome.FAILURE),
        (retry_of(HttpError()), Outcome.FAILURE),
        (retry_of(ValueError(), cause=HttpError()), Outcome.FAILURE),
        (retry_of(UnpicklableError(), is_given=True), Outcome.FAILURE),
        (retry_of(UnpicklableNotFoundError(), is_given=True), Outcome.SUCCESS),
        (retry_of(LooseError(), is_given=True), Outcome.FAILURE),
        (retry_of(KeyError(), is_given=True), Outcome.NEUTRAL),
        (CircuitOpenError("another", "open", 1.0), Outcome.NEUTRAL),
    ],
    ids=repr,
)
def test_an_error_says(error, outcome):
    assert breaker.classify(error) is outcome


@pytest.mark.parametrize("error", [Ignore(), Reject(), CircuitOpenError("x", "open", 1.0)])
def test_what_made_no_call_is_no_failure_even_where_everything_is(error):
    assert CircuitBreaker("all", failure_on=(BaseException,)).classify(error) is Outcome.NEUTRAL


def test_a_retry_that_is_its_own_cause_says_nothing():
    retry = Retry()
    retry.exc = retry
    assert breaker.classify(retry) is Outcome.NEUTRAL


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        (5, 5.0),
        (0.5, 0.5),
        *((each, None) for each in (0, -1, float("inf"), float("nan"), 10**400, "5", None)),
    ],
)
def test_a_retry_after_counts_where_it_is_a_number_above_0(asked, wait):
    error = HttpError("busy")
    error.retry_after = asked
    assert failure_of(error).retry_after == wait
    assert failure_of(Retry(exc=error)).retry_after == wait


def test_the_reason_is_the_error_and_short():
    assert failure_of(HttpError("no route")).why == "HttpError: no route"
    assert len(failure_of(HttpError("x" * 10_000)).why) == 200
    assert failure_of(HttpError("\ud800")).why.encode()
    assert failure_of(None).why == ""
