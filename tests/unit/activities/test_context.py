"""What an activity may ask about its call."""

import threading

import pytest
from pydantic import BaseModel

from amends import Context, RetryPolicy, Undoes, activity, context
from tests.support.call_context import entered


class Ask(BaseModel):
    """Nothing."""


@activity(retry=RetryPolicy(max_attempts=1))
def be_cut_off(request: Ask) -> None:
    raise OSError(context().idempotency_key)


def call(key, undone=None):
    return Context(
        saga_id="order-1",
        step="a",
        attempt=1,
        deadline=2e9,
        idempotency_key=key,
        undone=undone,
    )


def test_outside_of_an_activity_there_is_no_context():
    with pytest.raises(RuntimeError) as caught:
        context()
    assert str(caught.value) == "amends.context() is for the inside of an activity; none runs here"


def test_the_context_is_that_of_the_innermost_call_and_goes_with_it():
    outer, inner = call("outer"), call("inner")
    with entered(outer):
        assert context() is outer
        with entered(inner):
            assert context() is inner
        assert context() is outer
    with pytest.raises(RuntimeError):
        context()


def test_a_call_that_fails_leaves_no_context_behind():
    failed = be_cut_off.task.apply(args=[{}], task_id="a-call")
    assert str(failed.result) == "a-call"
    with pytest.raises(RuntimeError):
        context()


def test_each_thread_has_its_own_context():
    seen = []

    def look():
        try:
            seen.append(context().idempotency_key)
        except RuntimeError:
            seen.append("none")

    with entered(call("main")):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == ["none"]


def test_a_compensation_learns_what_it_undoes():
    undone = Undoes(activity="tasks.payment.fallback_payment", idempotency_key="order-1:a:fallback")
    assert call("order-1:a:fallback:undo", undone).undoes is undone


def test_what_is_no_compensation_undoes_nothing():
    with pytest.raises(RuntimeError) as caught:
        _ = call("order-1:a").undoes
    assert (
        str(caught.value)
        == "amends.context().undoes is for the inside of a compensation, in a saga"
    )
