"""When an attempt is followed by another, and how soon."""

import pytest

from amends import DefinitionError, NotDone, Refused, RetryPolicy


class Declined(Exception):  # noqa: N818 - named as users name them
    pass


class DeclinedForGood(Declined):
    pass


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        (RetryPolicy(jitter=0.0), [1, 2, 4, 8, 16, 32, 60, 60]),
        (RetryPolicy(initial_interval=0.2, backoff_coefficient=3, jitter=0), [0.2, 0.6, 1.8, 5.4]),
        (RetryPolicy(initial_interval=2.0, max_interval=5.0, jitter=0.0), [2, 4, 5, 5]),
        (RetryPolicy(initial_interval=0.5, max_interval=0.5, jitter=0.0), [0.5, 0.5]),
        (RetryPolicy(backoff_coefficient=1.0, jitter=0.0), [1, 1, 1]),
        (RetryPolicy(initial_interval=0.0, jitter=0.0), [0, 0, 0]),
    ],
)
def test_without_jitter_waits_grow_by_the_coefficient_up_to_the_longest(policy, waits):
    got = [policy.wait(attempt) for attempt in range(1, len(waits) + 1)]
    assert got == pytest.approx(waits, rel=1e-12, abs=0)


def test_without_jitter_nothing_random_is_asked_for():
    def refuse(low, high):
        raise AssertionError((low, high))

    assert RetryPolicy(jitter=0.0).wait(3, refuse) == 4.0


def test_jitter_moves_a_wait_by_at_most_its_share():
    policy = RetryPolicy(initial_interval=10.0, jitter=0.25)
    assert policy.wait(1, lambda low, _: low) == 7.5
    assert policy.wait(1, lambda _, high: high) == 12.5
    assert policy.wait(2, lambda low, high: (low + high) / 2) == 20.0


def test_jitter_is_really_random():
    policy = RetryPolicy(initial_interval=10.0)
    waits = {policy.wait(1) for _ in range(50)}
    assert len(waits) > 1
    assert all(8.0 <= wait <= 12.0 for wait in waits)


@pytest.mark.parametrize("coefficient", [2.0, 10, 1e300])
def test_a_huge_attempt_number_waits_the_longest(coefficient):
    policy = RetryPolicy(backoff_coefficient=coefficient, jitter=0.0, max_attempts=None)
    assert policy.wait(100_000) == 60.0


def test_a_policy_that_never_waits_does_not_begin_to_at_a_huge_attempt_number():
    assert RetryPolicy(initial_interval=0.0, jitter=0.0).wait(100_000) == 0.0


@pytest.mark.parametrize(
    ("max_attempts", "attempt", "another"),
    [(3, 1, True), (3, 2, True), (3, 3, False), (3, 4, False), (1, 1, False), (None, 10**9, True)],
)
def test_max_attempts_counts_attempts_and_none_is_no_limit(max_attempts, attempt, another):
    policy = RetryPolicy(max_attempts=max_attempts)
    assert policy.allows(OSError("cut"), attempt) is another


@pytest.mark.parametrize(
    ("error", "another"), [(Declined(), False), (DeclinedForGood(), False), (OSError(), True)]
)
def test_an_error_of_a_non_retryable_class_ends_the_attempts(error, another):
    policy = RetryPolicy(max_attempts=None, non_retryable=(Declined, Refused))
    assert policy.allows(error, 1) is another


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("max_attempts", 0, "1 or more"),
        ("max_attempts", -1, "1 or more"),
        ("initial_interval", -0.1, "0 or more seconds"),
        ("initial_interval", float("nan"), "0 or more seconds"),
        ("max_interval", 0.5, "initial_interval or more"),
        ("max_interval", float("nan"), "initial_interval or more"),
        ("backoff_coefficient", 0.9, "1 or more"),
        ("backoff_coefficient", -2.0, "1 or more"),
        ("jitter", -0.1, "from 0 to below 1"),
        ("jitter", 1.0, "from 0 to below 1"),
        ("non_retryable", OSError, "a tuple of exception classes"),
        ("non_retryable", [OSError], "a tuple of exception classes"),
        ("non_retryable", ("OSError",), "a tuple of exception classes"),
        ("non_retryable", (OSError("cut"),), "a tuple of exception classes"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_field_and_value(field, value, wanted):
    with pytest.raises(DefinitionError) as caught:
        RetryPolicy(**{field: value})
    assert str(caught.value) == f"RetryPolicy: {field} is {value!r}, not {wanted}"


@pytest.mark.parametrize(
    ("asked", "longest", "wait"),
    [
        (0, 60.0, 1.0),
        (300.0, 60.0, 300.0),
        (1795882568, 60.0, 86400.0),
        (1e300, 200_000.0, 200_000.0),
    ],
)
def test_an_error_that_asks_for_longer_is_granted_a_day_or_the_longest_wait(asked, longest, wait):
    policy = RetryPolicy(jitter=0.0, max_interval=longest)
    assert policy.wait_after(NotDone("busy", retry_after=asked), 1) == wait


@pytest.mark.parametrize("asked", [float("nan"), float("inf"), -1.0, 10**400, "120", None])
def test_an_error_that_asks_for_nonsense_asks_for_nothing(asked):
    error = NotDone("busy")
    error.retry_after = asked
    assert RetryPolicy(jitter=0.0).wait_after(error, 1) == 1.0
