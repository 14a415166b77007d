"""A function in ``task_routes`` decides by a message's arguments: it is asked with those, and its errors are its own."""

import pytest

from amends import Saga, Step, UnknownSaga
from amends.diagnosis.deployment.destinations import destinations_here
from amends.dispatch.messages import ADVANCE
from amends.dispatch.routing import queues_in_use
from amends.saga.handle import Handle
from tests.support.engine_saga import Job, JobResult, do_a, do_b, do_c, undo_a, undo_b
from tests.support.eventually import eventually

asked: list[dict[str, str]] = []
broken: set[str] = set()
"""Ids of sagas and paths of records for which the route has a bug."""


def route(name, args, kwargs, options, task=None, **_):
    """Give every second saga another queue."""
    if name.partition(".")[0] == "celery" or name == ADVANCE:
        return None
    asked.append(kwargs)
    if kwargs["step"] in broken or kwargs["saga_id"] in broken:
        raise KeyError("customer")
    return {"queue": "work" if int(kwargs["saga_id"][-1:], 36) % 2 else "undo"}


@pytest.fixture(scope="module")
def app(app):
    app.conf.task_routes = (route,)
    return app


@pytest.fixture(autouse=True)
def _mended():
    yield
    broken.clear()


def saga_of(dispatch):
    return Saga(
        f"routed_{dispatch}",
        input=Job,
        output=JobResult,
        outputs={"part": "a.part"},
        dispatch=dispatch,
        steps=[
            Step(do_a, name="a", compensation=undo_a),
            Step(do_b, name="b", compensation=undo_b),
            Step(do_c, name="c", compensation=None),
        ],
    )


@pytest.fixture(params=["chain", "inline"])
def saga(request):
    return saga_of(request.param)


def test_a_route_is_asked_with_a_messages_own_arguments(work, saga, saga_id):
    asked.clear()
    for end in ("1", "2"):
        handle = saga.start(Job(job_id=saga_id), saga_id=saga_id + end)
        assert handle.wait(timeout=60).outcome == "completed"
        assert work.records(handle.id) == ["a", "b", "c"]
    own = {(each["saga_id"], each["step"]) for each in asked}
    assert own >= {(saga_id + end, path) for end in "12" for path in "abc"}
    assert all(each.keys() == {"saga_id", "step"} for each in asked)


def test_a_saga_that_cannot_be_routed_is_not_started(work, saga, saga_id):
    broken.add(saga_id)
    with pytest.raises(KeyError, match="customer"):
        saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with pytest.raises(KeyError, match="customer"):
        saga.start_many([Job(job_id=saga_id)], saga_ids=[saga_id])
    with pytest.raises(UnknownSaga):
        saga.get(saga_id)


def test_a_route_that_fails_between_steps_repeats_no_call(work, log, saga, saga_id, warnings):
    broken.add("b")
    handle = saga.start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: "cannot be published" in warnings.text)
    assert "KeyError: 'customer'" in warnings.text
    work.let_wait(log, handle.id)
    eventually(lambda: warnings.text.count("customer") > 1)  # a sweep found it, and says the same
    assert work.records(handle.id) == ["a"]
    assert handle.snapshot().steps["a"].attempts == 1
    broken.clear()
    work.let_wait(log, handle.id, 3600.0)
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(handle.id) == ["a", "b", "c"]


def test_a_retry_that_cannot_be_routed_says_why_and_is_left_to_its_due_entry(
    work, log, saga, saga_id, warnings
):
    def fail(_):
        broken.add("a")
        raise OSError("cut")

    work.script(f"{saga_id}:a", fail)
    handle: Handle = saga.start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: "cannot be published" in warnings.text)
    assert "KeyError: 'customer'" in warnings.text
    assert handle.status == "running"
    broken.clear()
    work.let_wait(log, handle.id)
    assert handle.wait(timeout=60).outcome == "completed"


def test_who_looks_at_queues_without_a_message_asks_about_an_example(app):
    assert {"work", "undo"} <= set(queues_in_use(app))
    errors = [each.error for each in destinations_here(app) if each.task == do_a.name]
    assert errors == [""]
    broken.add("example")
    assert {"work", "undo"} <= set(queues_in_use(app))
