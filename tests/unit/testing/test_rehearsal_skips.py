"""What an operator skips in stages of several branches: the stage ends with it, and what was left out is an empty list."""

import itertools

import pytest
from celery import current_app
from pydantic import BaseModel

from amends import ActRefused, Each, Parallel, Refused, RetryPolicy, Saga, Step, activity
from amends.diagnosis.saga.explain import explain
from amends.testing import Rehearsal

ONCE = RetryPolicy(max_attempts=1)
BY_HAND = {"text": "by hand"}


class Item(BaseModel):
    name: str


class Order(BaseModel):
    items: list[Item] = [Item(name="one"), Item(name="two")]
    is_gift: bool = False


class Note(BaseModel):
    text: str


class Notes(BaseModel):
    pack: list[Note]


class Ended(BaseModel):
    outcome: str
    pack: list[Note | None] = []


@activity(retry=ONCE)
def begin(order: Order) -> Note:
    return Note(text="begun")


@activity(retry=ONCE)
def note(order: Order) -> Note:
    return Note(text="noted")


@activity(retry=ONCE)
def forget(order: Order, note: Note | None) -> None: ...


@activity(retry=ONCE)
def find_note(order: Order) -> Note | None:
    return None


@activity(retry=ONCE)
def pack(item: Item) -> Note:
    return Note(text=item.name)


@activity(retry=ONCE)
def count(notes: Notes) -> None: ...


@activity(retry=ONCE)
def end(order: Order) -> None: ...


def saga_of(name, *stages):
    return Saga(
        name, input=Order, output=Ended, steps=[*stages, Step(end, name="last", compensation=None)]
    )


PIVOT = Step(begin, pivot=True)
BRANCHES = saga_of("skipped_branches", PIVOT, Parallel(Step(note, name="a"), Step(note, name="b")))
ITEMS = saga_of("skipped_items", PIVOT, Each("input.items", Step(pack)))
STUCK = [
    pytest.param(saga, *pair, id=pair[0])
    for saga, names in ((BRANCHES, ("a", "b")), (ITEMS, ("pack[1]", "pack[2]")))
    for pair in itertools.permutations(names)
]
ASKED = saga_of(
    "skipped_question",
    Step(begin, compensation=forget),
    Parallel(
        Step(note, name="a", compensation=None, verify=find_note),
        Step(note, name="b", compensation=None),
    ),
)
ASKED_PIVOT = saga_of("asked_pivot", Step(begin, name="a", pivot=True, verify=find_note))


@pytest.fixture
def rehearsal():
    with Rehearsal() as rehearsal:
        yield rehearsal


@pytest.mark.parametrize(("saga", "one", "other"), STUCK)
def test_the_last_that_is_skipped_of_a_stage_lets_the_saga_go_on(rehearsal, saga, one, other):
    for each in (one, other):
        rehearsal.at(saga, each).raises(Refused("no"))
    handle = rehearsal.run(saga, Order())
    handle.skip(one, output=BY_HAND)
    assert handle.status == "stuck"
    handle.skip(other, output=BY_HAND)
    assert handle.status == "completed"
    assert rehearsal.done == ["begin", "last"]


@pytest.mark.parametrize(("saga", "one", "other"), STUCK)
def test_one_that_is_skipped_and_one_that_fails_again_leave_the_saga_stuck(
    rehearsal, saga, one, other
):
    rehearsal.at(saga, one).raises(Refused("no"))
    rehearsal.at(saga, other).raises(Refused("no"), times=2)
    handle = rehearsal.run(saga, Order())
    handle.skip(one, output=BY_HAND)
    handle.retry()
    assert handle.status == "stuck"
    handle.retry()
    assert handle.status == "completed"


def asked(rehearsal, saga):
    """Run it until nobody can tell whether a took effect."""
    rehearsal.at(saga, "a").loses_reply(times=None)
    rehearsal.at(saga, "a:verify").raises(OSError("away"), times=20)
    handle = rehearsal.run(saga, Order())
    assert handle.status == "stuck"
    return handle


def test_a_question_in_a_branch_that_is_skipped_with_an_output_was_answered(rehearsal):
    handle = asked(rehearsal, ASKED)
    handle.skip("a:verify", output=BY_HAND)
    assert (handle.status, handle.snapshot().steps["a"].state) == ("completed", "done")


def test_a_question_in_a_branch_that_is_skipped_without_one_found_nothing(rehearsal):
    handle = asked(rehearsal, ASKED)
    handle.skip("a:verify")
    assert handle.status == "compensated"
    assert rehearsal.undone == ["begin"]


@pytest.mark.parametrize("saga", [ASKED, ASKED_PIVOT], ids=["branch", "pivot"])
def test_that_a_step_had_no_effect_is_said_of_its_verification_alone(rehearsal, saga):
    handle = asked(rehearsal, saga)
    with pytest.raises(ActRefused, match="a needs its output, a Note"):
        handle.skip("a")
    assert handle.status == "stuck"
    handle.skip("a", output=BY_HAND)
    assert handle.status == "completed"


@pytest.mark.parametrize("path", ["a:verify", "last"], ids=["at", "past"])
def test_no_cancel_is_offered_at_the_point_of_no_return_or_past_it(rehearsal, path):
    if path == "last":
        rehearsal.at(ASKED_PIVOT, path).raises(Refused("no"))
        handle = rehearsal.run(ASKED_PIVOT, Order())
    else:
        handle = asked(rehearsal, ASKED_PIVOT)
    found = explain(current_app, handle.id)
    assert (found.cancel.is_possible, found.cancel.pivot) == (False, "a")
    assert "cancel" not in [each.act for each in found.remedies]
    with pytest.raises(ActRefused, match="it is past a, its point of no return, or at it"):
        handle.cancel()


def test_only_undos_of_all_items_are_offered_to_be_skipped_at_once(rehearsal):
    for item in ("pack[1]", "pack[2]"):
        rehearsal.at(ITEMS, item).raises(Refused("no"))
    handle = rehearsal.run(ITEMS, Order())
    skips = [each.step for each in explain(current_app, handle.id).remedies if each.act == "skip"]
    assert skips == ["pack[1]"]


def test_what_was_left_out_is_told_as_such_and_is_an_empty_list(rehearsal):
    saga = saga_of(
        "left_out",
        Step(begin, compensation=None),
        Parallel(
            Step(note, name="a", compensation=None),
            Step(note, name="b", compensation=None),
            when="input.is_gift",
        ),
        Each("input.items", Step(pack, compensation=None), when="input.is_gift"),
        Step(count, compensation=None),
    )
    handle = rehearsal.run(saga, Order())
    assert handle.status == "completed"
    assert rehearsal.done == ["begin", "count", "last"]
    states = {name: step.state for name, step in handle.snapshot().steps.items()}
    assert [states[name] for name in ("a", "b", "pack")] == ["skipped"] * 3
    assert handle.wait().pack == []
