"""The rows of sagas that are steps of others, as a monitor keeps them that hears a worker."""

from itertools import chain

import pytest
from celery.contrib.testing.worker import start_worker
from celery.events.state import State
from pydantic import BaseModel

import amends
from amends import Child, Saga, Step
from amends.log.owner import WorkerProcess
from tests.support.engine_saga import Job
from tests.support.event_listener import hearing
from tests.support.eventually import eventually
from tests.support.sagas.shapes import Approval, Order, approval, shape_of, step
from tests.support.sagas.wide import act, revert


class Invoice(BaseModel):
    number: str | None = None


invoice = Saga(
    "rows_invoice",
    input=Job,
    output=Invoice,
    outputs={"number": "bill.part"},
    steps=[Step(act, name="bill", compensation=revert), approval()],
)
child = Child(invoice, name="invoice", inputs={"job_id": "input.job_id"})
billed = shape_of("rows_billed", step("a"), child)


@pytest.fixture(scope="module")
def worker(app):
    app.conf.worker_send_task_events = True
    options = {"loglevel": "CRITICAL", "perform_ping_check": False, "shutdown_timeout": 30}
    with start_worker(app, pool="threads", concurrency=4, **options) as worker:
        eventually(lambda: WorkerProcess.current.sends_events.value)
        yield worker


@pytest.fixture
def heard(broker, saga_id):
    ids = [saga_id, f"{saga_id}.2.a", f"{saga_id}.invoice", f"{saga_id}.invoice.2.bill"]
    with hearing(broker, *ids) as messages:
        yield lambda: [event for each in messages for event in each]


def monitored(events):
    state = State()
    for clock, event in enumerate(events, 1):
        state.event({**event, "clock": clock, "local_received": float(clock)})
    return state.tasks


def test_a_child_has_its_parents_row_for_parent_and_root_while_it_waits_and_at_its_end(
    work, saga_id, heard
):
    handle = billed.start(Order(job_id=saga_id), saga_id=saga_id)
    name = f"{saga_id}.invoice"
    eventually(lambda: "task-waiting" in [each["type"] for each in heard() if each["uuid"] == name])
    row = monitored(heard())[name]
    assert (row.name, row.parent_id, row.root_id) == ("saga.rows_invoice", saga_id, saga_id)
    amends.get(name).signal("approval", Approval())
    handle.wait(timeout=60)
    done = ("task-succeeded", saga_id)
    eventually(lambda: done in [(each["type"], each["uuid"]) for each in heard()])
    rows = monitored(heard())
    assert (rows[name].state, rows[name].parent_id) == ("SUCCESS", saga_id)
    assert name in {each.uuid for each in rows[saga_id].children}
    own = chain(rows[name].children, [row for row in rows.values() if row.parent_id == name])
    assert all(each.root_id == name for each in own)  # of its steps
    assert rows[saga_id].parent_id is None
