"""Activities that are ``async def``: attempts, time limits, loops and contexts, in a worker and alone."""

import asyncio
import uuid

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from amends import CircuitBreaker, Refused, RetryPolicy, activity
from amends.activities import greenlets
from tests.support.eventually import eventually
from tests.support.sagas.awaited import Approval, Order, Receipt, order_sagas, seen

pytestmark = pytest.mark.usefixtures("swept")
ONCE = RetryPolicy(max_attempts=1)
failing = CircuitBreaker("test-async-failing", failure_threshold=1, failure_on=(ConnectionError,))
slow = CircuitBreaker("test-async-slow", failure_threshold=1, failure_on=(TimeoutError,))


@activity(retry=ONCE, breaker=failing, on_circuit_open="fail")
async def call_away(order: Order) -> Receipt:
    await asyncio.sleep(0)
    raise ConnectionError("away")


@activity(retry=ONCE, breaker=slow, on_circuit_open="fail", start_to_close_timeout=0.05)
async def call_slow(order: Order) -> Receipt:
    await asyncio.Event().wait()
    return Receipt(receipt="never")


@activity(retry=ONCE, start_to_close_timeout=300.0)
async def call_for_long(order: Order) -> None:
    try:
        await asyncio.Event().wait()
    except SoftTimeLimitExceeded:
        seen.interrupted.append(order.order_id)
        raise


@activity(retry=ONCE)
async def call_guarded_inside(order: Order) -> Receipt:
    with failing:
        await asyncio.sleep(0)
    return Receipt(receipt=order.order_id)


@activity(retry=ONCE)
async def call_and_refuse(order: Order) -> Receipt:
    await asyncio.sleep(0)
    raise Refused("no")


@pytest.fixture(params=["chain", "inline"])
def saga(request):
    return order_sagas[request.param]


@pytest.fixture(autouse=True)
def _closed(app, work):
    failing.reset()
    slow.reset()


def begin(saga, saga_id, manner):
    return saga.start(Order(order_id=saga_id, manner=manner), saga_id=saga_id)


def approve(handle):
    handle.signal("approval", Approval())
    return handle.wait(60)


def errors_of(handle):
    return [
        event.details["error"]["type"]
        for event in handle.history()
        if event.name == "step.retrying"
    ]


def call_here(called, order_id=""):
    order = Order(order_id=order_id or uuid.uuid4().hex)
    return called.task.apply(args=[order.model_dump()]).result


def test_an_attempt_that_fails_is_tried_again_with_its_context(work, saga, saga_id):
    handle = begin(saga, saga_id, "away")
    assert approve(handle).outcome == "completed"
    assert errors_of(handle) == ["ConnectionError"]
    contexts = [each for each in seen.contexts[saga_id] if each.step == "charge"]
    assert [each.attempt for each in contexts] == [1, 1, 2, 2]  # before an await, and after
    assert {each.idempotency_key for each in contexts} == {f"{saga_id}:charge"}


def test_a_refusal_turns_the_saga_back(work, saga, saga_id):
    handle = begin(saga, saga_id, "refused")
    assert handle.wait(60).outcome == "refused"


def test_what_a_refused_step_comes_after_is_undone_by_a_coroutine(work, saga, saga_id):
    handle = begin(saga, saga_id, "unshippable")
    handle.signal("approval", Approval())
    handle.wait(60)
    assert handle.status == "compensated"
    last = seen.contexts[saga_id][-1]
    assert last.undoes.idempotency_key == f"{saga_id}:charge"


def test_an_attempt_past_its_time_is_stopped_where_it_waits_and_tried_again(work, saga, saga_id):
    handle = begin(saga, saga_id, "slow")
    assert approve(handle).outcome == "completed"
    assert errors_of(handle) == ["TimeoutError"]
    assert seen.interrupted.count(saga_id) == 1
    assert handle.snapshot().steps["pack"].attempts == 2


def test_each_thread_of_the_pool_keeps_one_loop(work, saga):
    handles = [begin(saga, uuid.uuid4().hex, "quick") for _ in range(20)]
    assert {approve(each).outcome for each in handles} == {"completed"}
    assert {len(loops) for loops in seen.loops.values()} == {1}
    assert 1 <= len(seen.loops) <= 8


def test_its_failure_and_its_time_limit_are_its_breakers(work):
    assert type(call_here(call_away)) is ConnectionError
    assert failing.state == "open"
    assert type(call_here(call_slow)) is SoftTimeLimitExceeded
    assert slow.state == "open"
    assert slow.history()[-1].why == "TimeoutError: no answer after 0.05 s"


def test_a_breaker_guards_a_call_inside(work):
    assert call_here(call_guarded_inside, "inside") == {"receipt": "inside"}
    failing.acquire().failure(ConnectionError())
    assert call_here(call_guarded_inside).name == "test-async-failing"


def test_a_call_alone_returns_its_output_and_its_errors(work):
    assert type(call_here(call_and_refuse)) is Refused
    handle = call_guarded_inside.delay(Order(order_id="alone"))
    assert handle.id


def test_greenlets_leave_it_to_workers_of_other_pools(work, saga, saga_id, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(greenlets, "detect_environment", lambda: "gevent")
        handle = begin(saga, saga_id, "quick")
        told = eventually(
            lambda: [each for each in handle.history() if each.name == "step.retrying"]
        )
        message = told[0].details["error"]["message"]
        assert "charge is async def, and the greenlets of this pool (gevent) cannot run" in message
        assert "--pool prefork, threads or solo" in message
    assert seen.contexts[saga_id] == []
    assert handle.snapshot().steps["charge"].attempts == 0
    handle.cancel()


def test_a_saga_that_only_greenlets_can_take_is_parked_with_the_reason(
    app, work, saga, saga_id, monkeypatch
):
    monkeypatch.setitem(app.conf, "amends_poison_after", 1)
    with monkeypatch.context() as patch:
        patch.setattr(greenlets, "detect_environment", lambda: "gevent")
        handle = begin(saga, saga_id, "quick")
        eventually(lambda: handle.status == "stuck")
    assert "greenlets of this pool (gevent) cannot run an event loop" in handle.snapshot().reason
    handle.retry(by="ada")
    assert approve(handle).outcome == "completed"


def test_a_call_alone_among_greenlets_says_what_to_do(work, monkeypatch):
    monkeypatch.setattr(greenlets, "detect_environment", lambda: "eventlet")
    error = call_here(call_and_refuse)
    assert "the greenlets of this pool (eventlet) cannot run an event loop" in str(error)


def test_a_call_alone_has_the_time_limit_of_its_message(work, saga_id):
    call_for_long.apply_async((Order(order_id=saga_id),), soft_time_limit=0.05)
    eventually(lambda: saga_id in seen.interrupted)
