"""Sagas that are steps of others under ``task_always_eager``: one process does everything in turn."""

import pytest
import redis
from celery import Celery
from pydantic import BaseModel

import amends
from amends import Child, Each, Saga, Step
from benchmarks.monitor import Monitor
from tests.support.engine_saga import Job
from tests.support.sagas.shapes import Order, approval, items_of, shape_of
from tests.support.sagas.wide import DISPATCHES, act, revert


class Bill(BaseModel):
    part: str | None = None


ASKS = {
    each: Saga(
        f"eager_asks_{each}",
        input=Job,
        output=Bill,
        steps=[Step(act, name="bill", compensation=revert), approval()],
        dispatch=each,
    )
    for each in DISPATCHES
}
EACH = {
    each: shape_of(
        f"eager_each_{each}",
        Each("input.items", Child(saga, name="ask", inputs={"job_id": "input.job_id"})),
        dispatch=each,
    )
    for each, saga in ASKS.items()
}


@pytest.fixture(scope="module", autouse=True)
def app(redis_url):
    app = Celery("eager_children", broker="memory://")
    app.conf.update(amends_backend=f"{redis_url}/3", task_always_eager=True)
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()


def begin(saga_id, dispatch, many):
    order = Order(job_id=saga_id, items=items_of(*["solid"] * many))
    handle = EACH[dispatch].start(order, saga_id=saga_id)
    return handle, [amends.get(f"{saga_id}.ask.{n}") for n in range(1, many + 1)]


def test_a_cancel_reaches_all_children_of_a_stage_at_once(saga_id, dispatch):
    handle, children = begin(saga_id, dispatch, 3)
    assert {child.status for child in children} == {"running"}
    assert handle.cancel()
    assert {each.status for each in (handle, *children)} == {"compensated"}


def test_so_does_the_end_of_one_that_turned_back(saga_id, dispatch):
    handle, children = begin(saga_id, dispatch, 3)
    assert children[1].cancel()
    assert {each.status for each in (handle, *children)} == {"compensated"}


@pytest.mark.parametrize("many", [10, 40])
def test_a_child_costs_what_it_costs_however_many_there_are(saga_id, dispatch, many, redis_url):
    with redis.Redis.from_url(f"{redis_url}/3", decode_responses=True) as client:
        begin(f"{saga_id}-first", dispatch, 1)
        with Monitor(client) as monitor:
            begin(saga_id, dispatch, many)
        scripts = [each for each in monitor.commands if each.name == "EVALSHA"]
    assert len(scripts) <= 12 * many
