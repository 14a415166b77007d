"""Conditions in the log by hand: a step or a stage that is not wanted is passed by, forward and backward."""

import pytest

from amends import Parallel, Step
from amends.definition.serialization import canonical_json
from amends.log.answers import AtRest, Done, Run
from tests.support.sagas.shapes import (
    doubled,
    each_item,
    items_of,
    measure,
    shape_of,
    step,
    verified,
)

LINE = shape_of("line", step("a"), doubled("b", when="input.gift"), step("c"))
FIRST = shape_of("first", step("a", when="input.gift"), step("c"))
LAST = shape_of("last", step("a"), step("b", when="input.gift"))
NOT = shape_of("not", step("a"), step("b", when="not input.gift"), step("c"))
MEASURED = shape_of(
    "measured",
    Step(measure, name="size", compensation=None),
    step("b", when="size.large"),
    step("c", when="not size.large"),
    step("d"),
)
SWITCHED = shape_of(
    "switched",
    Step(measure, name="size", compensation=None),
    doubled("b", when="size.large"),
    step("c"),
)
UNSURE = shape_of(
    "unsure",
    Step(measure, name="size", compensation=None, when="input.gift"),
    step("b", when="size.large"),
    step("c", when="not size.large"),
)
BRANCHES = shape_of(
    "branches",
    step("a"),
    Parallel([step("b", when="input.gift"), step("c")], step("d", when="input.gift")),
    step("e"),
)
STAGE = shape_of(
    "stage",
    step("a"),
    Parallel([step("b"), step("c")], step("d"), when="input.gift"),
    step("e", inputs={"job_id": "input.job_id"}),
)
EACH = shape_of("each", step("a"), each_item(of_stage={"when": "input.gift"}), step("e"))
ITEM = shape_of("item", step("a"), each_item(when="item.fragile"), step("e"))
NOT_ITEM = shape_of("not_item", each_item(when="not item.fragile"))
ITEM_OF_INPUT = shape_of("item_of_input", each_item(when="input.gift"))
VERIFIED = shape_of("verified", step("a"), verified("b", when="input.gift"), step("c"))


def wants(course, path):
    """Tell whether a worker that claims a record would call its activity."""
    answer = course.run(path)
    return answer.itinerary.records[path].is_wanted(answer.sources)


# Where it is asked


@pytest.mark.parametrize(("saga", "gift", "wanted"), [
    (LINE, True, True), (LINE, False, False), (NOT, True, False), (NOT, False, True)
])  # fmt: skip
def test_a_condition_of_the_input_is_asked_at_the_claim(course, saga, gift, wanted):
    course = course(saga, gift=gift)
    course.do("a")
    assert wants(course, "b") is wanted


@pytest.mark.parametrize("large", [True, False])
def test_a_condition_of_an_earlier_output_is_asked_at_the_claim(course, large):
    course = course(MEASURED)
    course.run("size")
    course.complete("size", output=canonical_json({"large": large}))
    assert wants(course, "b") is large
    course.complete("b", output='{"part":"P"}' if large else "")
    assert wants(course, "c") is not large


def test_a_condition_of_an_output_that_is_missing_is_false_and_its_opposite_true(course):
    course = course(UNSURE)
    course.omit("size")
    assert not wants(course, "b")
    course.complete("b", output="")
    assert wants(course, "c")


def test_a_fallback_and_an_undo_have_no_condition(course):
    """They are not sent what a condition is asked of."""
    course = course(SWITCHED)
    course.run("size")
    course.complete("size", output=canonical_json({"large": True}))
    course.lose("b", unknown=True)
    for path in ("b:undo", "b:fallback"):
        assert wants(course, path)
        course.complete(path)
    course.lose("c")
    assert wants(course, "b:fallback:undo")


def test_a_verification_has_no_condition(course):
    course = course(VERIFIED, gift=True)
    course.do("a")
    course.run("b")
    course.retry("b", unknown=True)
    assert wants(course, "b:verify")


@pytest.mark.parametrize(("saga", "wanted"), [(ITEM, [True, False]), (NOT_ITEM, [False, True])])
def test_a_condition_of_an_item_is_asked_for_each(course, saga, wanted):
    course = course(saga, items=items_of("fragile", "solid"))
    if saga is ITEM:
        course.do("a")
    course.remaining()
    assert [wants(course, f"pack[{n}]") for n in (1, 2)] == wanted


@pytest.mark.parametrize("gift", [True, False])
def test_a_condition_of_a_step_for_items_may_be_of_the_input(course, gift):
    course = course(ITEM_OF_INPUT, items=items_of("solid"), gift=gift)
    course.remaining()
    assert wants(course, "pack[1]") is gift


# A step


@pytest.fixture
def omitted(course):
    """Give a saga whose second step was not wanted."""
    course = course(LINE)
    course.do("a")
    course.omit("b")
    return course


def test_a_step_that_is_not_wanted_is_omitted_and_the_next_one_follows(omitted):
    assert omitted.state("b") == "omitted"
    assert omitted.events()[-1] == "step.omitted b"
    assert "step.completed b" not in omitted.events()
    assert omitted.remaining() == ["c"]


def test_the_chain_goes_on_after_a_step_that_is_not_wanted(course):
    course = course(LINE)
    course.do("a")
    course.run("b")
    assert course.complete("b", output="", link="c").said == "go"


def test_a_step_that_is_not_wanted_spends_no_attempt_and_counts_no_time(omitted):
    assert omitted.log.read_saga(omitted.id).records["b"].attempts == 0
    counted = omitted.counted()
    assert "ran|line|a|sum" in counted
    assert not [each for each in counted if each.startswith("ran|line|b|")]


def test_a_step_that_is_not_wanted_has_no_output(omitted):
    entry = omitted.log.read_saga(omitted.id)
    assert (entry.sources["b"], entry.output_of("b")) == (None, None)


def test_a_step_that_was_not_wanted_is_not_undone(omitted):
    omitted.lose("c")
    assert omitted.remaining() == ["a:undo"]
    omitted.do("a:undo")
    assert omitted.status == "compensated"
    assert omitted.states("b:undo", "b:fallback", "b:fallback:undo") == ["pending"] * 3


def test_that_it_is_not_wanted_is_said_once(omitted):
    before = omitted.events()
    assert omitted.complete("b", output="").said in ("go", "advance")
    assert omitted.events() == before


def test_another_claims_word_that_it_is_not_wanted_is_late(omitted):
    assert omitted.complete("b", "other", output="").said == "late"


def test_a_message_of_a_step_that_is_not_wanted_lets_its_chain_go_on(omitted):
    assert omitted.claim("b", "u") == Done()
    omitted.run("c")
    assert omitted.claim("b", "u").reason == "c is running"


@pytest.mark.parametrize(("saga", "path"), [(FIRST, "a"), (LAST, "b")])
def test_a_step_that_is_not_wanted_may_be_the_first_or_the_last(course, saga, path):
    course = course(saga)
    if path == "b":
        course.do("a")
        assert course.omit("b") == AtRest()
    else:
        course.omit("a")
        course.do("c")
    assert (course.status, course.outcome) == ("completed", "completed")


def test_a_step_that_is_not_wanted_and_was_tried_before_is_done_with(course):
    """A worker of other code could not read its input, and the next one sees that it is not wanted."""
    course = course(LINE)
    course.do("a")
    course.run("b")
    course.retry("b", unknown=False, cost="nothing")
    course.run("b", retries=1)
    course.complete("b", output="")
    assert (course.state("b"), course.remaining()) == ("omitted", ["c"])


def test_a_step_that_is_not_wanted_after_the_turn_is_not_undone(course):
    course = course(LINE)
    course.do("a")
    course.run("b")
    course.cancel()
    course.complete("b", output="")
    assert (course.state("b"), course.remaining()) == ("omitted", ["a:undo"])


# A branch


def test_in_a_branch_the_next_step_follows_and_the_stage_ends(course):
    course = course(BRANCHES)
    course.do("a")
    course.remaining()
    course.run("b")
    assert course.complete("b", output="", link="c").said == "go"
    course.do("c")
    assert course.omit("d").said == "next"
    course.do("e")
    assert (course.status, course.states("b", "d")) == ("completed", ["omitted", "omitted"])


def test_in_a_branch_its_undo_is_not_owed(course):
    course = course(BRANCHES)
    course.do("a")
    course.remaining()
    course.omit("b")
    course.do("c")
    course.omit("d")
    course.lose("e")
    assert course.remaining() == ["c:undo"]
    course.do("c:undo")
    assert course.remaining() == ["a:undo"]


def test_an_item_that_is_not_wanted_has_none_for_its_output_and_no_undo(course):
    course = course(ITEM, items=items_of("fragile", "solid", "fragile"))
    course.do("a")
    course.remaining()
    course.do("pack[1]", "pack[3]")
    course.omit("pack[2]")
    assert course.log.read_saga(course.id).sources["pack"] == [{"part": "P"}, None, {"part": "P"}]
    course.lose("e")
    assert sorted(course.remaining()) == ["pack[1]:undo", "pack[3]:undo"]


def test_items_of_which_none_is_wanted_owe_no_undo(course):
    course = course(ITEM, items=items_of("solid", "solid"))
    course.do("a")
    course.remaining()
    course.omit("pack[1]")
    course.omit("pack[2]")
    course.lose("e")
    assert course.remaining() == ["a:undo"]


# A stage


@pytest.mark.parametrize(("saga", "paths"), [(STAGE, ["b", "c", "d"]), (EACH, ["pack"])])
def test_a_stage_that_is_not_wanted_is_passed_by(course, saga, paths):
    course = course(saga, items=items_of("solid"))
    course.do("a")
    assert course.remaining() == ["e"]
    assert [each for each in course.names() if each == "step.omitted"] == ["step.omitted"]
    assert not {f"step.started {path}" for path in paths} & set(course.events())
    assert not any(isinstance(course.claim(path), Run) for path in paths)
    course.lose("e")
    assert course.remaining() == ["a:undo"]
    course.do("a:undo")
    assert course.status == "compensated"


@pytest.mark.parametrize(
    ("saga", "first"), [(STAGE, ["b", "c", "d"]), (EACH, ["pack[1]", "pack[2]"])]
)
def test_a_stage_that_is_wanted_is_opened(course, saga, first):
    course = course(saga, gift=True, items=items_of("solid", "solid"))
    course.do("a")
    assert course.remaining() == first
    course.do(*first)
    assert course.remaining() == ["e"]


def test_a_stage_that_is_not_wanted_has_no_outputs(course):
    for saga in (STAGE, EACH):
        one = course(saga, items=items_of("solid"))
        one.do("a")
        one.remaining()
        sources = one.log.read_saga(one.id).sources
        assert [sources[each] for each in ("b", "pack") if each in sources] in ([None], [[]])


def test_a_stage_that_is_not_wanted_is_passed_by_once(course):
    course = course(STAGE)
    course.do("a")
    course.remaining()
    before = course.events()
    assert course.log.end_stage(course.id, "p2", longest_wait=300.0) is None
    assert course.events() == before


def test_a_stage_that_was_opened_is_not_passed_by(course):
    """Two processes ask at once, and one of them comes late."""
    course = course(STAGE, gift=True)
    course.do("a")
    course.remaining()
    course.log.end_stage(course.id, "p2", longest_wait=300.0)
    assert "step.omitted" not in course.names()
    course.do("b", "c", "d")
    assert course.remaining() == ["e"]


def test_a_stage_that_is_not_wanted_may_be_the_last(course):
    course = course(shape_of("ends", step("a"), Parallel(step("b"), step("c"), when="input.gift")))
    course.do("a")
    assert course.remaining() == []
    assert (course.status, course.outcome) == ("completed", "completed")
