"""Stages of several branches in the log by hand: how they are joined, turned and undone, and lists that are too long."""

from dataclasses import replace

import pytest

from amends import Parallel
from amends.definition.serialization import canonical_json, error_json
from amends.dispatch.remaining import MOST_ITEMS
from amends.errors import Refused
from amends.log.answers import AtRest, Lacking, Run, Stage, Stop
from tests.support.sagas.shapes import doubled, each_item, items_of, shape_of, step

WIDE = shape_of("wide", step("a"), Parallel([step("b"), step("c")], doubled("d")), step("e"))
ORDERED = shape_of(
    "ordered",
    Parallel([step("b"), step("c")], step("d"), step("f"), undo="ordered"),
    step("e"),
)
LAST = shape_of("last", Parallel(step("b"), step("d")))
EACH = shape_of("each", step("a"), each_item(), step("e"))
BOUND = shape_of("bound", step("a"), each_item(of_stage={"concurrency": 2}), step("e"))
LENIENT = shape_of("lenient", step("a"), each_item(on_failure="continue"), step("e"))
PIVOT = shape_of("pivot", step("a"), step("b", pivot=True), each_item(), step("e"))
LENIENT_PIVOT = shape_of(
    "lenient_pivot", step("a"), step("b", pivot=True), each_item(on_failure="continue"), step("e")
)
ERROR = "Refused: input.items has 1001 items, and 1000 are possible"


@pytest.fixture
def wide(course):
    """Give a saga whose branches are open."""
    course = course(WIDE)
    course.do("a")
    assert course.remaining() == ["b", "c", "d"]
    return course


# Forward


def test_branches_run_at_once_and_the_steps_of_one_in_their_order(wide):
    wide.run("b")
    wide.run("d")
    assert wide.claim("c") == Stop(reason="b is running")
    assert isinstance(wide.claim("e"), Stop)


@pytest.mark.parametrize("last", ["c", "d"])
def test_whoever_ends_the_last_branch_goes_on_with_what_follows_and_nobody_else_does(wide, last):
    others = ["d", "b"] if last == "c" else ["b", "c"]
    for path in others:
        wide.run(path)
        follows = wide.complete(path, link="c" if path == "b" else "")
        assert follows.said == ("go" if path == "b" else "end")
    assert isinstance(wide.claim("e"), Stop)
    wide.run(last)
    follows = wide.complete(last)
    assert (follows.said, [path for path, _ in follows.records]) == ("next", ["e"])


def test_a_stage_may_be_the_last(course):
    course = course(LAST)
    course.remaining()
    course.do("b")
    course.run("d")
    assert course.complete("d") == AtRest()
    assert (course.status, course.outcome) == ("completed", "completed")


def test_that_the_last_branch_ended_is_said_twice_and_heard_once(wide):
    wide.do("b", "c")
    wide.run("d")
    first = wide.complete("d")
    before = wide.events()
    assert wide.complete("d") == replace(first, number=first.number + 1)
    assert wide.events() == before


def test_that_the_last_branch_ended_is_not_told_again_once_what_follows_has_begun(wide):
    wide.do("b", "c", "d")
    wide.run("e")
    assert wide.complete("d") == AtRest()


def test_that_the_last_undo_ended_is_said_twice_and_heard_once(wide):
    wide.do("b", "c", "d")
    wide.lose("e")
    wide.remaining()
    wide.do("c:undo", "b:undo")
    wide.run("d:undo")
    first = wide.complete("d:undo")
    assert [path for path, _ in first.records] == ["a:undo"]
    assert wide.complete("d:undo") == replace(first, number=first.number + 1)


def test_that_the_last_sibling_ended_after_the_turn_is_said_twice_and_heard_once(wide):
    wide.run("b")
    wide.lose("d")
    wide.lose("d:fallback")
    assert wide.complete("b") == Stage()
    assert wide.complete("b") == Stage()
    assert wide.remaining() == ["b:undo"]


def test_a_branch_does_not_use_the_place_of_another_stage(wide):
    assert isinstance(wide.claim("e"), Stop)
    wide.do("b", "c", "d", "e")
    assert wide.status == "completed"


# The turn


def test_a_final_failure_turns_the_saga_and_what_runs_beside_it_may_finish(wide):
    wide.run("b")
    wide.lose("d")
    wide.lose("d:fallback")
    assert wide.field("direction") == "backward"
    assert wide.remaining() == []
    assert isinstance(wide.claim("d:undo"), Stop)
    assert isinstance(wide.claim("a:undo"), Stop)
    wide.complete("b", output='{"part":"late"}')
    assert isinstance(wide.claim("c"), Stop)
    assert wide.remaining() == ["b:undo"]
    assert wide.run("b:undo").compensated_output == {"part": "late"}
    wide.complete("b:undo")
    assert wide.remaining() == ["a:undo"]


@pytest.mark.parametrize("unknown", [True, False])
def test_a_sibling_that_fails_after_the_turn_is_not_retried(wide, unknown):
    wide.run("b")
    wide.lose("d")
    wide.lose("d:fallback")
    assert wide.retry("b", unknown=unknown).said != "retry"
    assert wide.state("b") == ("unknown" if unknown else "failed")
    assert isinstance(wide.claim("b", retries=9), Stop)
    assert wide.remaining() == (["b:undo"] if unknown else ["a:undo"])


def test_a_sibling_that_waits_for_its_next_attempt_gets_none_after_the_turn(wide):
    wide.run("b")
    wide.retry("b", unknown=False)
    wide.lose("d")
    wide.lose("d:fallback")
    assert isinstance(wide.claim("b", retries=1), Stop)
    assert wide.remaining() == ["a:undo"]


def test_a_sibling_that_switches_does_not_fall_back_after_the_turn(wide):
    wide.lose("d", unknown=True)
    wide.lose("b")
    assert isinstance(wide.claim("d:fallback"), Stop)
    assert wide.remaining() == ["d:undo"]
    wide.do("d:undo")
    assert wide.remaining() == ["a:undo"]


def test_the_undo_begins_once_nothing_runs_any_more(course):
    course = course(EACH, items=items_of("solid", "solid", "solid"))
    course.do("a")
    course.remaining()
    course.do("pack[1]")
    course.run("pack[2]")
    course.lose("pack[3]")
    assert isinstance(course.claim("pack[1]:undo"), Stop)
    course.fail("pack[2]")
    assert course.remaining() == ["pack[1]:undo"]


def test_branches_that_did_nothing_owe_nothing(course):
    course = course(EACH, items=items_of("solid", "solid"))
    course.do("a")
    course.remaining()
    course.lose("pack[1]")
    assert course.remaining() == ["a:undo"]


# The undo


def test_branches_are_undone_at_once_and_each_in_reverse(wide):
    wide.do("b", "c", "d")
    wide.lose("e")
    assert wide.remaining() == ["c:undo", "b:undo", "d:undo"]
    assert wide.claim("b:undo") == Stop(reason="c:undo comes first")
    wide.run("c:undo")
    wide.do("d:undo")
    assert isinstance(wide.claim("a:undo"), Stop)
    wide.complete("c:undo")
    wide.do("b:undo")
    assert wide.remaining() == ["a:undo"]


def test_branches_are_undone_one_after_the_other_in_reverse_order_of_their_first_claim(course):
    course = course(ORDERED)
    course.remaining()
    course.do("d", "b", "f", "c")
    course.lose("e")
    assert course.remaining() == ["f:undo"]
    for undos, following in (
        (["f:undo"], ["c:undo", "b:undo"]),
        (["c:undo", "b:undo"], ["d:undo"]),
        (["d:undo"], []),
    ):
        others = {"f:undo", "c:undo", "b:undo", "d:undo"} - set(undos)
        assert not any(isinstance(course.claim(each), Run) for each in others)
        for undo in undos:
            course.run(undo)
            follows = course.complete(undo, link="b:undo" if undo == "c:undo" else "")
        assert [path for path, _ in getattr(follows, "records", [])] == following
    assert course.status == "compensated"


def test_an_undo_that_stands_stuck_stops_no_other_branch(wide):
    wide.do("b", "c", "d")
    wide.lose("e")
    wide.remaining()
    wide.lose("c:undo")
    wide.do("b:undo", "d:undo")
    assert wide.remaining() == ["a:undo"]
    wide.do("a:undo")
    assert (wide.status, wide.reason) == ("stuck", "c:undo failed for good")
    wide.retry_saga()
    assert wide.remaining() == ["c:undo"]
    wide.run("c:undo", retries=1)
    wide.complete("c:undo")
    assert wide.status == "compensated"


# Places


def test_so_many_items_are_open_at_once_forward_and_backward(course):
    course = course(BOUND, items=items_of(*["solid"] * 4))
    course.do("a")
    assert course.remaining() == ["pack[1]", "pack[2]"]
    assert isinstance(course.claim("pack[3]"), Stop)
    course.run("pack[2]")
    follows = course.complete("pack[2]")
    assert [path for path, _ in follows.records] == ["pack[3]"]
    course.do("pack[3]", "pack[1]", "pack[4]")
    course.lose("e")
    assert course.remaining() == ["pack[3]:undo", "pack[4]:undo"]
    assert course.claim("pack[1]:undo") == Stop(reason="it waits for a place")


# Lists


LONG = [{"name": "n", "fragile": False}] * (MOST_ITEMS + 1)


def test_a_list_of_so_many_items_is_opened(course):
    course = course(EACH, items=LONG[:-1])
    course.do("a")
    assert len(course.remaining()) == MOST_ITEMS


def test_an_empty_list_is_done_at_once(course):
    course = course(EACH)
    course.do("a")
    assert course.remaining() == ["e"]
    assert course.log.read_saga(course.id).sources["pack"] == []
    course.lose("e")
    assert course.remaining() == ["a:undo"]


def test_a_list_that_is_too_long_turns_the_saga(course):
    course = course(EACH, items=LONG)
    course.do("a")
    assert course.remaining() == ["a:undo"]
    entry = course.log.read_saga(course.id)
    assert (entry.outcome, entry.error) == ("no_pack", ERROR)
    assert course.state("pack") == "failed"
    assert course.events().count("step.failed pack") == 1


def test_a_list_that_is_too_long_is_passed_over_where_its_failure_is(course):
    course = course(LENIENT, items=LONG)
    course.do("a")
    assert course.remaining() == ["e"]
    assert course.state("pack") == "failed"
    course.do("e")
    assert (course.status, course.outcome) == ("completed", "completed")


def test_a_list_that_is_too_long_is_passed_over_past_the_point_of_no_return(course):
    course = course(LENIENT_PIVOT, items=LONG)
    course.do("a", "b")
    assert course.remaining() == ["e"]


@pytest.fixture
def too_long(course):
    """Give a saga whose list is too long, past its point of no return."""
    course = course(PIVOT, items=LONG)
    course.do("a", "b")
    assert course.remaining() == []
    return course


def test_a_list_that_is_too_long_stands_stuck_past_the_point_of_no_return(too_long):
    assert (too_long.status, too_long.field("direction")) == ("stuck", "forward")
    assert too_long.state("pack") == "stuck"
    assert "saga.compensating" not in too_long.names()
    assert too_long.reason == "pack failed for good"


def test_a_list_that_is_too_long_is_skipped_with_a_list(too_long):
    assert too_long.skip("pack") == Lacking("pack")
    too_long.skip("pack", canonical_json([{"part": "by hand"}]))
    assert too_long.log.read_saga(too_long.id).sources["pack"] == [{"part": "by hand"}]
    assert (too_long.status, too_long.remaining()) == ("running", ["e"])
    too_long.do("e")
    assert too_long.status == "completed"


def test_a_list_that_is_too_long_is_retried_and_stands_stuck_again(too_long):
    too_long.retry_saga()
    assert too_long.status == "running"
    assert too_long.remaining() == []
    assert too_long.status == "stuck"


def test_a_list_is_refused_once(too_long):
    before = too_long.events()
    told = {"path": "pack", "error": error_json(Refused("no")), "outcome": "no_pack"}
    assert too_long.log.end_stage(too_long.id, "p3", **told, longest_wait=300.0) is None
    assert too_long.events() == before
