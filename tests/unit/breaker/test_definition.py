"""The ways to guard a call, and what a caller meets."""

import asyncio
import json
import pickle
import random
import threading

import pytest
from celery import Celery

from amends import CircuitBreaker, CircuitOpenError, ConfigurationError, DefinitionError


def test_three_failures_open_it_and_after_a_minute_one_call_closes_it(define, fail, clock):
    payments = define()
    fail(payments, 3)
    with pytest.raises(CircuitOpenError) as refused:
        payments.call(pytest.fail)
    assert (refused.value.name, refused.value.state) == (payments.name, "open")
    assert refused.value.retry_after == 60.0
    clock.advance(60)
    with payments as permit:
        assert permit.is_probe
        with pytest.raises(CircuitOpenError) as refused:
            payments.acquire()
    assert (refused.value.state, refused.value.retry_after) == ("half_open", 60.0)
    assert payments.state == "closed"
    assert payments.snapshot().opens == 0


def test_a_failure_of_the_call_after_a_minute_opens_it_again(define, fail, clock):
    payments = define(reset_timeout_multiplier=2.0)
    fail(payments, 3)
    clock.advance(60)
    fail(payments)
    assert payments.retry_after == 120.0


def test_a_success_between_failures_counts_from_0_again(define, fail):
    payments = define()
    for _ in range(4):
        fail(payments, 2)
        payments.call(lambda: None)
    assert payments.state == "closed"


def test_a_service_that_says_when_is_asked_then(define, fail):
    payments = define()
    fail(payments, 3, retry_after=7.5)
    assert payments.retry_after == 7.5


def test_a_service_that_asks_for_years_is_left_alone_for_the_longest_time(define, fail):
    payments = define(max_reset_timeout=90.0)
    fail(payments, 3, retry_after=1795882568)
    assert payments.retry_after == 90.0


def test_every_wait_is_longer_by_the_jitter(define, fail, monkeypatch):
    monkeypatch.setattr(random, "random", lambda: 0.5)
    payments, bank = (define(failure_threshold=1, reset_jitter=0.2) for _ in range(2))
    fail(payments)
    fail(bank, retry_after=20.0)
    assert (payments.retry_after, bank.retry_after) == (66.0, 22.0)


def test_what_a_call_returns_and_raises_comes_back_as_it_is(define, server_error):
    payments = define()
    assert payments.call(divmod, 7, 2) == (3, 1)
    error = server_error("down")
    with pytest.raises(server_error) as raised:
        payments.call(_raise, error)
    assert raised.value is error


def test_a_decorated_function_keeps_its_name_and_its_arguments(define, fail):
    payments = define()

    @payments
    def charge(amount: int, *, currency: str) -> str:
        """Charge a card."""
        return f"{amount} {currency}"

    assert charge(5, currency="EUR") == "5 EUR"
    assert (charge.__name__, charge.__doc__) == ("charge", "Charge a card.")
    fail(payments, 3)
    with pytest.raises(CircuitOpenError):
        charge(5, currency="EUR")


async def _coroutine(): ...


async def _async_generator():
    yield


def _generator():
    yield


@pytest.mark.parametrize("function", [_coroutine, _async_generator, _generator])
def test_what_returns_before_its_call_is_made_is_refused(define, function):
    payments = define()
    for guard in (payments, payments.call):
        with pytest.raises(DefinitionError, match=f"cannot guard {function.__name__}: it is a"):
            guard(function)


def test_what_is_no_function_is_refused(define):
    with pytest.raises(DefinitionError, match="guards a function, and 5 is none"):
        define()(5)


def test_a_block_in_a_block_reports_its_own_end(define, fail):
    outer, inner = define(), define(failure_threshold=1)
    with outer as first, inner, outer as second:
        with outer as third:
            fail(inner)
        assert [permit._is_used for permit in (first, second, third)] == [False, False, True]
    assert first._is_used
    assert second._is_used
    assert (outer.state, inner.state) == ("closed", "open")


def test_blocks_of_tasks_of_an_event_loop_do_not_mix(define, server_error):
    payments = define(failure_threshold=1)

    async def go():
        first_is_in, second_is_in = asyncio.Event(), asyncio.Event()

        async def first():
            with payments as permit:
                first_is_in.set()
                await second_is_in.wait()
            return permit

        async def second():
            await first_is_in.wait()
            with payments as permit:
                second_is_in.set()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            return permit

        permits = await asyncio.gather(first(), second())
        return [permit._is_used for permit in permits]

    assert asyncio.run(go()) == [True, True]


def test_a_permit_is_heard_once(define, server_error):
    payments = define(failure_threshold=2)
    permit = payments.acquire()
    for _ in range(5):
        permit.failure(server_error("down"))
    assert payments.snapshot().failures == 1


def test_a_probe_has_a_token_and_other_permits_have_none(define, fail, clock):
    payments = define(half_open_max_calls=2)
    assert payments.acquire(token="task.0").token == ""
    fail(payments, 3)
    clock.advance(60)
    tokens = {payments.acquire(token="task.0").token, payments.acquire().token}
    assert tokens == payments.snapshot().probes.keys()
    assert "task.0" in tokens


def test_a_permit_that_is_released_says_nothing(define, fail, clock):
    payments = define(failure_threshold=1)
    fail(payments)
    clock.advance(60)
    payments.acquire().release()
    assert (payments.state, payments.snapshot().probes) == ("half_open", {})
    payments.acquire().success()
    assert payments.state == "closed"


def test_a_permit_judges_an_error_by_the_options(define, server_error):
    payments = define(failure_threshold=1)
    assert payments.acquire().record(ValueError()) == "neutral"
    assert payments.state == "closed"
    assert payments.acquire().record(server_error()) == "failure"
    assert payments.state == "open"


def test_a_probe_that_outlives_its_lease_is_late_though_nobody_took_its_place(define, fail, clock):
    payments = define(failure_threshold=1)
    fail(payments)
    clock.advance(60)
    probe = payments.acquire(lease=20.0)
    clock.advance(20)
    probe.success()
    assert (payments.state, payments.snapshot().late) == ("half_open", 1)


def test_a_killed_call_fails_by_its_token(define, fail, clock):
    payments = define(failure_threshold=1)
    fail(payments)
    clock.advance(60)
    payments.acquire(token="task.0", lease=300.0)
    clock.advance(100)
    payments.report_killed("task.0", ran_for=100.0, why="hard time limit")
    assert payments.state == "open"
    assert payments.history()[-1].why == "hard time limit"


def test_the_place_of_a_probe_whose_process_died_is_given_back_by_its_token(define, fail, clock):
    payments = define(failure_threshold=1)
    fail(payments)
    clock.advance(60)
    payments.acquire(token="task.0", lease=300.0)
    payments.release_killed("task.1")
    assert list(payments.snapshot().probes) == ["task.0"]
    payments.release_killed("task.0")
    payments.acquire(token="task.2").success()
    assert (payments.state, payments.snapshot().late) == ("closed", 0)


def test_a_killed_call_counts_where_it_began_in_this_epoch(define, clock):
    payments = define(failure_threshold=2)
    payments.report_killed("task.0", ran_for=10.0, why="killed")
    assert payments.snapshot().failures == 1
    clock.advance(100)
    payments.reset()
    clock.advance(10)
    payments.report_killed("task.1", ran_for=50.0, why="killed")
    assert (payments.snapshot().failures, payments.snapshot().late) == (0, 1)
    payments.report_killed("task.2", ran_for=5.0, why="killed")
    assert payments.snapshot().failures == 1


def test_two_objects_of_one_breaker_are_one(app, fail, server_error):
    one, two = (CircuitBreaker("one-and-two", failure_on=(server_error,)) for _ in range(2))
    fail(one, 2)
    fail(two, 1)
    with pytest.raises(CircuitOpenError):
        two.acquire()


def test_an_open_circuit_survives_pickle_and_json(define, fail):
    payments = define()
    fail(payments, 3)
    with pytest.raises(CircuitOpenError) as raised:
        payments.acquire()
    again = pickle.loads(pickle.dumps(raised.value))  # noqa: S301
    assert (again.args, str(again)) == (raised.value.args, str(raised.value))
    assert CircuitOpenError(*json.loads(json.dumps(raised.value.args))).args == raised.value.args
    assert type(raised.value.state) is str


def test_nothing_runs_and_nothing_is_held_while_a_call_runs(define, app):
    payments = define()

    def look():
        app.set_current()
        payments.call(lambda: None)
        payments.snapshot()

    before = threading.enumerate()
    with payments:
        assert threading.enumerate() == before
        look()  # a lock that is held would stop here
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()


def test_the_backend_is_that_of_the_app_which_is_current(define, fail, app):
    payments = define()
    fail(payments, 3)
    other = Celery("other", broker="memory://", set_as_current=False)
    other.conf.amends_backend = "memory://another"
    other.set_current()
    assert payments.state == "closed"
    payments.call(lambda: None)
    app.set_current()
    assert payments.state == "open"


def test_a_missing_backend_is_said_at_the_first_call(define):
    payments = define()
    Celery("shop", broker="memory://", set_as_current=False).set_current()
    with pytest.raises(ConfigurationError, match="'shop' has no amends_backend"):
        payments.acquire()


def _raise(error):
    raise error
