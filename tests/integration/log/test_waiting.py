"""Waits in the log by hand: for signals early, late, twice and several, for a time, and how they end otherwise."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from amends import ActRefused, DefinitionError, Delay, Parallel
from amends.definition.serialization import canonical_json
from amends.log.answers import Advance, AtRest, Stage
from tests.support.log_view import view_of
from tests.support.sagas.shapes import approval, shape_of, step
from tests.support.stage_driver import SIGNAL

LINE = shape_of("waiting", step("a"), approval(timeout=60.0), step("b"))
ENDLESS = shape_of("endless", step("a"), approval(), step("b"), timeout=None)
FIRST = shape_of("waiting_first", approval(timeout=60.0), step("b"))
LAST = shape_of("waiting_last", step("a"), approval(timeout=60.0))
SEVERAL = shape_of("several", step("a"), approval(count=3, timeout=60.0), step("b"))
OPTIONAL = shape_of("optional", step("a"), approval(timeout=60.0, on_timeout="continue"), step("b"))
CONDITION = shape_of("waiting_if", step("a"), approval(timeout=60.0, when="input.gift"), step("b"))
PIVOT = shape_of("waiting_pivot", step("a", pivot=True), approval(timeout=60.0), step("b"))
DELAY = shape_of("delay", step("a"), Delay(60.0), step("b"))
UNTIL = shape_of("until", step("a"), Delay(until="input.deliver_at"), step("b"))
BRANCHES = shape_of(
    "waiting_branches",
    step("a"),
    Parallel([step("b"), approval(timeout=60.0), step("c")], step("d")),
    step("e"),
)


@pytest.fixture
def waiting(course):
    """Give a saga that waits for its approval."""
    course = course(LINE)
    course.do("a")
    assert course.remaining() == []
    return course


# It stands still


def test_a_wait_holds_no_message_and_is_due_when_its_time_is_over(waiting):
    assert (waiting.state("approval"), waiting.status) == ("waiting", "running")
    assert waiting.is_timed
    assert 50 < waiting.due_in() <= 60
    assert waiting.events()[-1] == "step.waiting approval"


def test_one_without_a_time_is_due_at_no_time(course):
    course = course(ENDLESS)
    course.do("a")
    assert course.remaining() == []
    assert course.due_in() is None


def test_a_sagas_deadline_makes_it_due(course):
    course = course(shape_of("deadline", step("a"), approval(), step("b"), timeout=30.0))
    course.do("a")
    assert course.remaining() == []
    assert course.is_timed
    assert 20 < course.due_in() <= 30


def test_the_step_before_it_ends_its_chain_there(course):
    course = course(LINE)
    assert course.remaining() == ["a"]
    course.run("a")
    assert isinstance(course.complete("a"), Stage)


def test_what_comes_after_a_wait_cannot_be_claimed_before(waiting):
    assert waiting.claim("b").reason == "approval comes first"


def test_a_wait_in_a_branch_is_due_in_time_whatever_another_branch_waits_for(course):
    beside = shape_of("beside", Parallel([approval(timeout=20.0), step("b")], step("d")))
    course = course(beside)
    course.remaining()
    course.run("d")
    course.retry("d", wait=3600.0)
    assert 0 < course.due_in() <= 20
    view_of(course.log).make_due(course.id)
    course.log.maintenance.look_at_sagas([course.id], longest_wait=300.0)
    assert 10 < course.due_in() <= 20


# Signals


def test_a_signal_ends_its_wait_and_is_its_output(waiting):
    assert waiting.signal("approval", '{"granted":false}') == "taken"
    assert isinstance(waiting.follows, Advance)
    assert waiting.state("approval") == "done"
    assert waiting.field("2w.x") == '{"granted":false}'
    assert waiting.remaining() == ["b"]
    assert not waiting.is_timed


def test_one_that_comes_early_is_kept_and_ends_the_wait_as_it_begins(course):
    course = course(LINE)
    assert course.signal("approval") == "kept"
    assert isinstance(course.follows, AtRest)
    course.do("a")
    assert course.remaining() == ["b"]
    assert course.state("approval") == "done"


@pytest.mark.parametrize("early", [True, False])
def test_the_same_id_is_one_signal_with_the_first_answer(course, early):
    course = course(SEVERAL)
    if not early:
        course.do("a")
        course.remaining()
    answers = {course.signal("approval", given="click-81") for _ in range(3)}
    assert answers == {"kept" if early else "counted"}
    assert course.field("2w.gn") == "1"


def test_the_same_id_for_another_wait_is_another_signal(course):
    course = course(shape_of("two_waits", step("a"), approval("x"), approval("y")))
    course.do("a")
    course.remaining()
    assert [course.signal(name, given="ada") for name in ("x", "y", "x")] == [
        "taken",
        "kept",
        "taken",
    ]


def test_a_repeated_signal_that_ended_its_wait_goes_on_again(waiting):
    """Who gave it may have died before what follows was published."""
    assert waiting.signal("approval", given="click-81") == "taken"
    assert waiting.signal("approval", given="click-81") == "taken"
    assert isinstance(waiting.follows, Advance)
    assert waiting.remaining() == ["b"]


def test_several_end_it_together_and_are_a_list_in_their_order(course):
    course = course(SEVERAL)
    assert course.signal("approval", '{"granted":false}') == "kept"
    course.do("a")
    course.remaining()
    assert course.signal("approval") == "counted"
    assert course.signal("approval") == "taken"
    assert course.field("2w.x") == f'[{{"granted":false}},{SIGNAL},{SIGNAL}]'


def test_each_giver_counts_once(course):
    course = course(SEVERAL)
    course.do("a")
    course.remaining()
    assert course.signal("approval", by="ada") == "counted"
    with pytest.raises(ActRefused, match="ada has given it, and each counts once"):
        course.signal("approval", by="ada")
    assert course.signal("approval", by="bob") == "counted"


def test_one_too_many_is_refused(waiting):
    waiting.signal("approval")
    with pytest.raises(ActRefused, match="approval is over: done"):
        waiting.signal("approval")


def test_two_early_ones_for_a_wait_of_one_are_one_too_many(course):
    course = course(LINE)
    course.signal("approval")
    with pytest.raises(ActRefused, match="has its signals, and takes no more"):
        course.signal("approval")


@pytest.mark.parametrize("name", ["a", "nothing", "delay"])
def test_a_signal_that_nothing_waits_for_is_refused(course, name):
    course = course(DELAY)
    with pytest.raises(ActRefused, match=f"it waits for no {name}"):
        course.signal(name)


def test_an_ended_saga_takes_none(course):
    course = course(shape_of("short", approval()))
    course.remaining()
    course.signal("approval")
    with pytest.raises(ActRefused, match="it is completed"):
        course.signal("approval")


def test_a_saga_keeps_a_hundred_signals(course):
    many = [approval("x", count=60), approval("y", count=40)]
    course = course(shape_of("many", step("a"), *many))
    for name, count in (("x", 60), ("y", 40)):
        assert {course.signal(name, given=f"{n}") for n in range(count)} == {"kept"}
    with pytest.raises(DefinitionError, match="need 101 signals together, and a saga keeps 100"):
        shape_of("too_many", step("a"), *many, approval("z"))


def test_signals_hold_a_mebibyte_together(course):
    course = course(SEVERAL)
    half = canonical_json({"granted": True, "why": "x" * 600_000})
    course.signal("approval", half)
    with pytest.raises(ActRefused, match="hold 1 MiB together"):
        course.signal("approval", half)


def test_an_approval_may_be_all_that_a_saga_waits_for_first(course):
    course = course(FIRST)
    assert course.remaining() == []
    assert (course.status, course.state("approval")) == ("running", "waiting")
    assert course.signal("approval") == "taken"
    assert course.remaining() == ["b"]


def test_the_last_one_ends_the_saga(course):
    course = course(LAST)
    course.do("a")
    course.remaining()
    course.signal("approval")
    assert (course.status, course.outcome) == ("completed", "completed")


# Its time


def test_a_wait_whose_time_is_over_turns_the_saga(waiting):
    waiting.let_wait_pass("approval")
    assert waiting.remaining() == ["a:undo"]
    assert (waiting.state("approval"), waiting.outcome) == ("failed", "no_approval")
    with pytest.raises(ActRefused, match="it turns back"):
        waiting.signal("approval")


def test_or_lets_it_go_on_without(course):
    course = course(OPTIONAL)
    course.do("a")
    course.remaining()
    course.let_wait_pass("approval")
    assert course.remaining() == ["b"]
    assert course.state("approval") == "failed"


def test_a_sweep_ends_it_and_says_that_nothing_was_published(waiting):
    waiting.let_wait_pass("approval")
    (found,) = waiting.log.maintenance.look_at_sagas([waiting.id], longest_wait=300.0)
    assert (found.path, found.times) == ("a:undo", 0)


def test_and_so_does_one_that_comes_after_the_sagas_deadline(waiting):
    waiting.let_deadline_pass()
    (found,) = waiting.log.maintenance.look_at_sagas([waiting.id], longest_wait=300.0)
    assert (found.path, found.times) == ("a:undo", 0)
    assert waiting.outcome == "timed_out"


def test_a_sweep_leaves_one_that_waits(waiting):
    assert waiting.log.maintenance.look_at_sagas([waiting.id], longest_wait=300.0) == [None]
    assert waiting.is_timed


def test_a_wait_that_was_not_begun_is_found_by_a_sweep(course):
    course = course(LINE)
    course.do("a")
    (found,) = course.log.maintenance.look_at_sagas([course.id], longest_wait=300.0)
    assert (found.path, found.times) == ("approval", 0)


def test_past_the_point_of_no_return_it_stands_for_a_person(course):
    course = course(PIVOT)
    course.do("a")
    course.remaining()
    course.let_wait_pass("approval")
    assert course.remaining() == []
    assert (course.status, course.state("approval")) == ("stuck", "stuck")
    course.retry_saga()
    assert course.remaining() == []
    assert (course.status, course.state("approval")) == ("running", "waiting")
    assert course.signal("approval") == "taken"
    assert course.remaining() == ["b"]


def test_a_delay_is_over_in_its_time(course):
    course = course(DELAY)
    course.do("a")
    assert course.remaining() == []
    assert 50 < course.due_in() <= 60
    course.let_wait_pass("delay")
    assert course.remaining() == ["b"]
    assert course.state("delay") == "done"


@pytest.mark.parametrize(
    ("away", "rest"), [(timedelta(hours=-1), ["b"]), (None, ["b"]), (timedelta(hours=1), [])]
)
def test_a_delay_until_a_time(course, away, rest):
    at = None if away is None else datetime.now(UTC) + away
    course = course(UNTIL, deliver_at=at)
    course.do("a")
    assert course.remaining() == rest
    assert course.state("delay") == ("waiting" if not rest else "done")


# Conditions, acts, branches


@pytest.mark.parametrize("gift", [True, False])
def test_a_wait_may_have_a_condition(course, gift):
    course = course(CONDITION, gift=gift)
    course.do("a")
    assert course.remaining() == ([] if gift else ["b"])
    assert course.state("approval") == ("waiting" if gift else "omitted")


def test_a_cancel_ends_it(waiting):
    waiting.cancel()
    assert waiting.remaining() == ["a:undo"]
    assert waiting.state("approval") == "pending"
    with pytest.raises(ActRefused, match="it turns back"):
        waiting.signal("approval")


def test_the_deadline_ends_it(waiting):
    waiting.let_deadline_pass()
    assert waiting.remaining() == ["a:undo"]
    assert waiting.outcome == "timed_out"


def test_a_signal_in_a_pause_is_taken_and_what_follows_waits(waiting):
    waiting.log.control.pause_saga(waiting.id, actor={})
    assert waiting.signal("approval") == "taken"
    assert waiting.remaining() == []
    waiting.log.control.resume_saga(waiting.id, actor={})
    assert waiting.remaining() == ["b"]


def test_a_pause_lasts_over_the_end_of_its_time(waiting):
    waiting.log.control.pause_saga(waiting.id, actor={})
    waiting.let_wait_pass("approval")
    assert waiting.remaining() == []
    assert waiting.state("approval") == "waiting"
    waiting.log.control.resume_saga(waiting.id, actor={})
    assert waiting.remaining() == ["a:undo"]


def test_a_person_skips_it_with_what_it_waits_for(waiting):
    assert waiting.skip("approval").path == "approval"
    waiting.skip("approval", SIGNAL)
    assert waiting.remaining() == ["b"]
    assert (waiting.state("approval"), waiting.field("2w.x")) == ("skipped", SIGNAL)


def test_a_delay_is_skipped_without_an_output(course):
    course = course(DELAY)
    course.do("a")
    course.remaining()
    with pytest.raises(ActRefused, match="has no output"):
        course.skip("delay", SIGNAL)
    course.skip("delay")
    assert course.remaining() == ["b"]


def test_a_retry_has_nothing_to_do(waiting):
    with pytest.raises(ActRefused, match="approval waits, and has nothing to retry"):
        waiting.retry_saga()
    assert waiting.is_timed


def test_a_branch_waits_beside_others(course):
    course = course(BRANCHES)
    course.do("a")
    assert course.remaining() == ["b", "d"]
    course.do("b")
    course.run("d")
    assert course.remaining() == []
    assert course.state("approval") == "waiting"
    assert course.signal("approval") == "taken"
    assert course.remaining() == ["c"]
    course.complete("d", output='{"part":"P"}')
    course.do("c")
    assert course.remaining() == ["e"]


def test_a_signal_for_a_branch_that_is_not_open_is_kept(course):
    course = course(BRANCHES)
    assert course.signal("approval") == "kept"
    course.do("a")
    assert course.remaining() == ["b", "d"]
    course.do("b")
    assert course.remaining() == ["c"]


def test_a_branch_whose_time_is_over_turns_the_saga_once_others_have_ended(course):
    course = course(BRANCHES)
    course.do("a")
    course.remaining()
    course.do("b")
    course.run("d")
    course.remaining()
    course.let_wait_pass("approval")
    assert course.remaining() == []
    assert course.status == "compensating"
    course.complete("d", output='{"part":"P"}')
    assert sorted(course.remaining()) == ["b:undo", "d:undo"]


def test_a_branch_that_waits_is_given_up_as_another_fails(course):
    course = course(BRANCHES)
    course.do("a")
    course.remaining()
    course.do("b")
    course.remaining()
    course.lose("d")
    assert course.remaining() == ["b:undo"]
    assert course.state("approval") == "pending"


def test_a_wait_may_end_its_stage(course):
    course = course(shape_of("stage_end", step("a"), Parallel(approval(), step("d")), step("e")))
    course.do("a")
    assert course.remaining() == ["d"]
    course.do("d")
    assert course.remaining() == []
    assert course.signal("approval") == "taken"
    assert course.remaining() == ["e"]


def test_a_stage_may_wait_in_all_of_its_branches(course):
    course = course(
        shape_of(
            "all_wait", Parallel(approval("x"), approval("y", timeout=9.0)), step("e"), timeout=None
        )
    )
    assert course.remaining() == []
    look = partial(course.log.maintenance.look_at_sagas, [course.id], longest_wait=300.0)
    look()
    assert course.is_timed
    course.signal("y")
    assert course.remaining() == []
    look()
    assert course.due_in() is None
    course.signal("x")
    assert course.remaining() == ["e"]
