"""Children in the log by hand: what is owed to them, again and again, and whose end counts."""

import pytest

from amends import Child, Parallel
from amends.definition.states import SagaStatus
from amends.log.answers import Advance, AtRest, Late
from amends.log.in_flight import Ended
from tests.support.log_driver import ERROR
from tests.support.sagas.shapes import approval, shape_of, step

CHILD = shape_of("log_child", approval())
OUTPUTS = {"job_id": "input.job_id", "a": "a.part"}
LAST = step("b", inputs={"job_id": "input.job_id"})
PARENT = shape_of("log_parent", step("a"), Child(CHILD), LAST, outputs=OUTPUTS)
BESIDE = shape_of("log_beside", step("a"), Parallel(Child(CHILD), step("b")), outputs=OUTPUTS)
FINAL = shape_of("log_final", step("a", pivot=True), Child(CHILD), outputs=OUTPUTS)
NAME = "log_child"
HOW = {"longest_wait": 300.0}


@pytest.fixture
def parent(course):
    """Return a function that brings a saga to its child."""

    def parent_of(saga):
        driven = course(saga)
        driven.do("a")
        driven.log.dispatch_saga(driven.id, **HOW)
        driven.log.open_wait(driven.id, NAME, time="", outcome="no_child", **HOW)
        return driven

    return parent_of


def owed(driven):
    """Tell what is owed to the child, if anything is."""
    found = driven.log.dispatch_saga(driven.id, **HOW)
    return found and found.deed


def end(driven, status="completed", *, tries=0):
    told = {"type": "T", "message": "m"}
    return driven.log.end_child(driven.id, NAME, tries=tries, status=status, told=told)


def turn(driven):
    end(driven)
    driven.log.control.cancel_saga(driven.id, error=ERROR, actor={})


def cancel(driven):
    driven.log.control.cancel_saga(driven.id, error=ERROR, actor={})


@pytest.mark.parametrize(
    ("before", "path", "deed"),
    [(None, NAME, "start"), (cancel, NAME, "cancel"), (turn, f"{NAME}:undo", "turn")],
    ids=["start", "cancel", "turn"],
)
def test_what_is_owed_to_a_child_is_owed_once_more_after_a_while(parent, before, path, deed):
    """A failover may have lost it, or the end of the child was never told."""
    driven = parent(PARENT)
    if before:
        before(driven)
        driven.log.dispatch_saga(driven.id, **HOW)
        driven.log.open_wait(driven.id, path, time="", outcome="", **HOW)
    assert owed(driven) == deed
    assert driven.log.note_child(driven.id, path, deed, **HOW) is None
    assert owed(driven) is None
    code = driven.log.read_saga(driven.id).itinerary.code_of(path)
    driven.client.hset(driven.saga_key, f"{code}.m", 1)
    assert owed(driven) == deed


@pytest.mark.parametrize("name", [NAME, f"{NAME}:undo"])
def test_a_completed_child_is_passed_over_on_the_way_back_by_the_name_of_its_step(parent, name):
    driven = parent(PARENT)
    turn(driven)
    driven.skip(name)
    assert driven.state(f"{NAME}:undo") == "skipped"


def test_a_cancel_of_a_paused_saga_reaches_its_children_once_it_goes_on(course):
    driven = course(BESIDE)
    driven.do("a")
    driven.log.dispatch_saga(driven.id, **HOW)
    driven.log.open_wait(driven.id, NAME, time="", outcome="no_child", **HOW)
    control = driven.log.control
    control.pause_saga(driven.id, actor={})
    cancel(driven)
    assert isinstance(control.resume_saga(driven.id, actor={}), Advance)


def test_the_end_of_an_earlier_child_ends_no_later_one(parent):
    driven = parent(FINAL)
    assert isinstance(end(driven, "compensated"), AtRest)
    driven.retry_saga()
    driven.log.dispatch_saga(driven.id, **HOW)
    driven.log.open_wait(driven.id, NAME, time="", outcome="no_child", **HOW)
    for status in ("compensated", "completed"):
        assert isinstance(end(driven, status, tries=0), Late)
    assert driven.state(NAME) == "waiting"
    assert isinstance(end(driven, tries=1), Advance | AtRest)
    assert driven.status == "completed"


def test_a_child_that_was_turned_meanwhile_is_not_released_from_its_parent(course):
    """Whoever told the parent of its end was slow to say so."""
    child = course(CHILD)
    child.log.adopt_saga(child.id, "parent", NAME)
    child.remaining()
    child.signal("approval")
    assert child.status == "completed"
    child.log.turn_saga(child.id, error=ERROR)
    child.log.release_saga(child.id, SagaStatus.COMPLETED)
    assert isinstance(child.look(), Ended)
    child.log.release_saga(child.id, SagaStatus.COMPENSATED)
    assert child.look() is None
