"""Sagas that begin later, on real workers: chain and inline, on each broker."""

from datetime import UTC, datetime, timedelta

import pytest

from amends import Parallel
from tests.support.sagas.shapes import Order, shape_of, step
from tests.support.sagas.wide import DISPATCHES

pytestmark = pytest.mark.usefixtures("swept")

LINE = {each: shape_of(f"later_{each}", step("a"), step("b"), dispatch=each) for each in DISPATCHES}
STAGE = shape_of("later_at_once", Parallel(step("a"), step("b")))


@pytest.fixture(scope="module")
def app(each_app):
    return each_app


def test_a_saga_begins_after_its_time(work, saga_id, dispatch, published):
    handle = LINE[dispatch].start(Order(job_id=saga_id), saga_id=saga_id, after=0.5)
    assert (handle.status, published(saga_id)) == ("pending", [])
    begins_at = handle.snapshot().begins_at
    assert handle.wait(timeout=60).outcome == "completed"
    first = next(event for event in handle.history() if event.name == "step.started")
    assert first.at >= begins_at
    assert work.records(saga_id) == ["a", "b"]


def test_so_does_one_whose_branches_come_first(work, saga_id):
    at = datetime.now(UTC) + timedelta(seconds=0.5)
    handle = STAGE.start(Order(job_id=saga_id), saga_id=saga_id, at=at)
    assert handle.status == "pending"
    assert handle.wait(timeout=60).outcome == "completed"
    assert sorted(work.records(saga_id)) == ["a", "b"]


def test_many_begin_at_one_time(work, saga_id):
    ids = [f"{saga_id}-{n}" for n in range(20)]
    orders = [Order(job_id=each) for each in ids]
    handles = LINE["chain"].start_many(orders, saga_ids=ids, after=0.5)
    assert {handle.status for handle in handles} == {"pending"}
    assert [handle.wait(timeout=60).outcome for handle in handles] == ["completed"] * 20
    for each in ids:
        assert work.records(each) == ["a", "b"]


def test_a_time_that_is_past_is_now(work, saga_id):
    handle = LINE["chain"].start(
        Order(job_id=saga_id), saga_id=saga_id, at=datetime(2001, 1, 1, tzinfo=UTC)
    )
    assert handle.snapshot().begins_at is None
    assert handle.wait(timeout=60).outcome == "completed"
