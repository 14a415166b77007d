"""The point of no return, in the log by hand: what it stops, and from when on."""

import pytest

from amends import ActRefused, Parallel
from amends.log.answers import AtRest, Lacking, Late
from tests.support.sagas.shapes import doubled, shape_of, step, verified

PIVOT = shape_of("pivot", step("a"), step("b", pivot=True), step("c"))
DOUBLED = shape_of("doubled", step("a"), doubled("b", pivot=True), step("c"))
VERIFIED = shape_of("verified", step("a"), verified("b", pivot=True), step("c"))
LENIENT = shape_of("lenient", step("b", pivot=True), step("c", on_failure="continue"), step("d"))
OPTIONAL = shape_of("optional", step("a"), step("b", pivot=True, when="input.gift"), step("c"))
WIDE = shape_of(
    "wide",
    step("a"),
    Parallel(step("before"), step("beside")),
    step("b", pivot=True),
    Parallel([step("c"), step("d")], step("e")),
    step("f"),
)
REFUSAL = "it is past b, its point of no return, or at it"


# Each brings a saga to a place where its pivot took effect, or may have.


def run(course):
    course.run("b")


def retry_unknown(course):
    course.run("b")
    course.retry("b", unknown=True)


def retry_unknown_then_known(course):
    retry_unknown(course)
    course.run("b", retries=1)
    course.retry("b", unknown=False)


def lose(course):
    course.lose("b", unknown=True)


def complete(course):
    course.do("b")


def run_next(course):
    course.do("b")
    course.run("c")


def retry_next(course):
    run_next(course)
    course.retry("c", unknown=False)


def lose_next(course):
    course.do("b")
    course.lose("c")


PAST = [
    run, retry_unknown, retry_unknown_then_known, lose, complete, run_next, retry_next, lose_next
]  # fmt: skip


@pytest.fixture(params=PAST, ids=[each.__name__ for each in PAST])
def past(course, request):
    """Give a saga past its point of no return, or at it."""
    course = course(PIVOT)
    course.do("a")
    request.param(course)
    return course


def test_a_cancel_is_refused(past):
    before = past.events()
    with pytest.raises(ActRefused, match=REFUSAL):
        past.cancel()
    assert past.events() == before


def test_the_deadline_is_noted_once_and_turns_nothing(past):
    past.let_deadline_pass()
    status = past.status
    for _ in range(2):
        past.look()
    assert past.status == status
    assert past.field("direction") == "forward"
    # What stands stuck waits for an operator, and has no deadline until then.
    assert past.names().count("saga.overdue") == (status != "stuck")


def test_the_deadline_is_noted_of_what_stood_stuck_once_it_goes_on(course):
    course = course(PIVOT)
    course.do("a", "b")
    course.lose("c")
    course.let_deadline_pass()
    course.retry_saga()
    for _ in range(2):
        course.look()
    assert (course.status, course.names().count("saga.overdue")) == ("running", 1)
    course.run("c", retries=1)
    course.complete("c")
    assert (course.status, course.outcome) == ("completed", "completed")


def test_a_deadline_that_is_noted_is_none_any_more(course):
    course = course(PIVOT)
    course.do("a", "b")
    course.let_deadline_pass()
    course.look()
    assert course.log.read_saga(course.id).deadline_at is None
    assert course.due_in() > 0


def test_a_deadline_that_passes_in_a_pause_is_noted(course):
    course = course(PIVOT)
    course.do("a", "b")
    course.log.control.pause_saga(course.id, actor={})
    course.let_deadline_pass()
    course.log.dispatch_saga(course.id, longest_wait=300.0, only_look=True)
    assert course.names().count("saga.overdue") == 1
    assert course.log.read_saga(course.id).paused_at is not None


def test_attempts_before_have_the_sagas_deadline_and_from_the_pivot_on_none(course):
    course = course(PIVOT)
    assert course.run("a").saga_time_left is not None
    course.complete("a")
    assert course.run("b").saga_time_left is None
    course.retry("b", unknown=False)
    assert course.run("b", retries=1).saga_time_left is None
    course.complete("b")
    assert course.run("c").saga_time_left is None


def test_an_attempt_after_a_pivot_that_was_not_wanted_has_the_deadline(course):
    course = course(OPTIONAL)
    course.do("a")
    course.omit("b")
    assert course.run("c").saga_time_left is not None


# Before it


def retry_known(course):
    course.run("b")
    course.retry("b", unknown=False)


@pytest.mark.parametrize("bring", [lambda _: None, retry_known], ids=["unclaimed", "not done"])
def test_what_certainly_had_no_effect_can_be_cancelled(course, bring):
    course = course(PIVOT)
    course.do("a")
    bring(course)
    course.cancel()
    assert course.field("direction") == "backward"
    assert course.remaining() == ["a:undo"]


@pytest.mark.parametrize("bring", [lambda _: None, retry_known], ids=["unclaimed", "not done"])
def test_what_certainly_had_no_effect_turns_at_its_deadline(course, bring):
    course = course(PIVOT)
    course.do("a")
    bring(course)
    course.let_deadline_pass()
    assert course.remaining() == ["a:undo"]
    assert course.outcome == "timed_out"


def test_a_pivot_that_certainly_failed_turns_the_saga(course):
    course = course(PIVOT)
    course.do("a")
    course.lose("b")
    assert (course.outcome, course.remaining()) == ("lost", ["a:undo"])
    assert course.cancel() == Late()


def test_a_pivot_that_was_not_wanted_is_none(course):
    course = course(OPTIONAL)
    course.do("a")
    course.omit("b")
    course.lose("c")
    assert (course.outcome, course.remaining()) == ("lost", ["a:undo"])


# After it


def test_a_pivot_of_which_nobody_knows_stands_stuck_and_nothing_is_undone(course):
    course = course(PIVOT)
    course.do("a")
    assert course.lose("b", unknown=True) == AtRest()
    assert (course.status, course.state("b")) == ("stuck", "stuck")
    assert course.reason == "b failed for good"
    assert course.remaining() == []
    assert "saga.compensating" not in course.names()


def test_a_step_after_it_that_fails_for_good_stands_stuck(course):
    course = course(PIVOT)
    course.do("a", "b")
    course.lose("c")
    assert (course.status, course.state("c"), course.outcome) == ("stuck", "stuck", None)
    assert course.events()[-3:-1] == ["step.failed c", "step.stuck c"]
    assert course.remaining() == []


@pytest.mark.parametrize("last", ["b", "c"])
def test_what_stands_stuck_is_retried_with_all_its_attempts_and_the_saga_goes_on(course, last):
    course = course(PIVOT)
    course.do(*"abc"[: "abc".index(last)])
    course.run(last)
    course.retry(last)
    course.run(last, retries=1)
    course.fail(last, unknown=True)
    assert course.status == "stuck"
    course.retry_saga()
    assert (course.status, course.remaining()[0]) == ("running", last)
    assert course.run(last, retries=2).spent == 0
    course.complete(last)
    course.do(*"abc"["abc".index(last) + 1 :])
    assert (course.status, course.outcome) == ("completed", "completed")


def test_what_stands_stuck_is_skipped_with_its_output_and_not_without(course):
    course = course(PIVOT)
    course.do("a", "b")
    course.lose("c")
    assert course.skip("c") == Lacking("c")
    assert course.status == "stuck"
    assert course.skip("c", '{"part":"by hand"}') == AtRest()
    assert (course.status, course.outcome, course.state("c")) == (
        *("completed", "completed", "skipped"),
    )


def test_a_pivot_that_is_skipped_took_effect(course):
    course = course(PIVOT)
    course.do("a")
    course.lose("b", unknown=True)
    course.skip("b", '{"part":"by hand"}')
    with pytest.raises(ActRefused, match=REFUSAL):
        course.cancel()
    course.lose("c")
    assert (course.status, course.state("a")) == ("stuck", "done")


def test_a_failure_that_is_passed_over_is_so_after_it_too(course):
    course = course(LENIENT)
    course.do("b")
    course.lose("c", link="d")
    assert (course.status, course.state("c")) == ("running", "failed")
    course.do("d")
    assert course.status == "completed"


# With a fallback


@pytest.fixture
def switching(course):
    """Give a saga whose pivot is to be voided before its fallback."""
    course = course(DOUBLED)
    course.do("a")
    course.lose("b", unknown=True)
    assert course.remaining()[:2] == ["b:undo", "b:fallback"]
    return course


def test_a_pivot_that_is_to_be_voided_may_stand(switching):
    for bring in (lambda: None, lambda: switching.run("b:undo")):
        bring()
        with pytest.raises(ActRefused, match=REFUSAL):
            switching.cancel()


def test_a_pivot_that_was_voided_does_not_stand(switching):
    switching.do("b:undo")
    switching.cancel()
    assert switching.remaining() == ["a:undo"]


def test_a_pivot_whose_void_was_skipped_does_not_stand(switching):
    switching.skip("b:undo")
    switching.cancel()
    assert switching.remaining() == ["a:undo"]


def test_a_fallback_that_runs_is_the_pivot(switching):
    switching.do("b:undo")
    assert switching.run("b:fallback").saga_time_left is None
    with pytest.raises(ActRefused, match=REFUSAL):
        switching.cancel()
    switching.complete("b:fallback")
    with pytest.raises(ActRefused, match=REFUSAL):
        switching.cancel()
    switching.lose("c")
    assert (switching.status, switching.state("a")) == ("stuck", "done")


def test_a_void_and_a_fallback_that_failed_turn_the_saga(switching):
    switching.do("b:undo")
    switching.lose("b:fallback")
    assert switching.remaining() == ["a:undo"]


def test_a_fallback_of_which_nobody_knows_stands_stuck(switching):
    switching.do("b:undo")
    switching.lose("b:fallback", unknown=True)
    assert (switching.status, switching.state("b:fallback")) == ("stuck", "stuck")
    switching.retry_saga()
    switching.run("b:fallback", retries=1)
    switching.complete("b:fallback")
    assert switching.remaining() == ["c"]


def test_a_void_that_fails_for_good_turns_nothing_and_its_fallback_waits(switching):
    switching.lose("b:undo", unknown=True)
    assert (switching.status, switching.state("b:undo")) == ("stuck", "stuck")
    assert switching.field("direction") == "forward"
    assert switching.remaining() == []
    switching.retry_saga()
    assert switching.remaining()[0] == "b:undo"
    switching.run("b:undo", retries=1)
    switching.complete("b:undo")
    switching.do("b:fallback", "c")
    assert switching.status == "completed"


def test_a_pivot_that_certainly_failed_switches_without_a_void(course):
    course = course(DOUBLED)
    course.do("a")
    course.lose("b")
    assert course.remaining()[0] == "b:fallback"
    course.cancel()
    assert course.remaining() == ["a:undo"]


# With a verification


def test_a_pivot_that_is_asked_for_may_stand(course):
    course = course(VERIFIED)
    course.do("a")
    course.run("b")
    course.retry("b", unknown=True)
    for bring in (lambda: None, lambda: course.run("b:verify")):
        bring()
        with pytest.raises(ActRefused, match=REFUSAL):
            course.cancel()


def test_a_pivot_that_had_no_effect_does_not_stand(course):
    course = course(VERIFIED)
    course.do("a")
    course.run("b")
    course.retry("b", unknown=True)
    course.ask("b:verify", "null")
    course.cancel()
    assert course.remaining() == ["a:undo"]


def test_a_pivot_that_failed_for_good_without_effect_turns_the_saga(course):
    course = course(VERIFIED)
    course.do("a")
    course.lose("b", unknown=True)
    course.ask("b:verify", "null")
    assert (course.state("b"), course.remaining()) == ("failed", ["a:undo"])


def test_a_pivot_of_whose_effect_nobody_can_say_stands_stuck(course):
    course = course(VERIFIED)
    course.do("a")
    course.lose("b", unknown=True)
    course.lose("b:verify", unknown=True)
    assert (course.status, course.reason) == ("stuck", "b:verify failed for good")
    with pytest.raises(ActRefused, match=REFUSAL):
        course.cancel()


# In stages


@pytest.fixture
def wide(course):
    """Give a saga that stands in the stage after its point of no return."""
    course = course(WIDE)
    course.do("a")
    course.remaining()
    course.do("before", "beside", "b")
    assert sorted(course.remaining()) == ["c", "d", "e"]
    return course


def test_a_stage_before_it_is_not_undone_any_more(wide):
    wide.lose("c")
    assert wide.states("before", "beside", "before:undo") == ["done", "done", "pending"]
    assert "saga.compensating" not in wide.names()


def test_in_a_stage_after_it_nothing_is_cancelled_or_turned(wide):
    wide.run("c")
    with pytest.raises(ActRefused, match=REFUSAL):
        wide.cancel()
    wide.let_deadline_pass()
    for _ in range(2):
        wide.look()
    assert wide.names().count("saga.overdue") == 1
    assert (wide.status, wide.field("direction")) == ("running", "forward")


def test_attempts_in_a_stage_after_it_do_not_have_the_sagas_deadline(wide):
    assert wide.run("e").saga_time_left is None


def test_a_branch_that_stands_stuck_stops_no_other(wide):
    wide.lose("c")
    assert (wide.status, wide.state("c")) == ("running", "stuck")
    wide.do("e")
    assert (wide.status, wide.reason) == ("stuck", "c failed for good")
    wide.retry_saga()
    assert wide.status == "running"
    assert wide.remaining() == ["c", "d"]
    wide.run("c", retries=1)
    wide.complete("c")
    wide.do("d")
    assert wide.remaining() == ["f"]
    wide.do("f")
    assert (wide.status, wide.outcome) == ("completed", "completed")


def test_a_branch_that_stands_stuck_is_skipped_and_goes_on(wide):
    wide.lose("c")
    wide.do("e")
    assert wide.skip("c") == Lacking("c")
    wide.skip("c", '{"part":"by hand"}')
    assert (wide.status, wide.remaining()) == ("running", ["d"])
    wide.do("d", "f")
    assert wide.status == "completed"


def test_a_branch_that_stands_stuck_is_skipped_while_another_runs(wide):
    wide.run("e")
    wide.lose("c")
    wide.skip("c", '{"part":"by hand"}')
    assert wide.remaining() == ["d"]
    wide.complete("e")
    wide.do("d")
    assert wide.remaining() == ["f"]


def test_two_branches_that_stand_stuck_are_both_retried(wide):
    wide.lose("c")
    wide.lose("e")
    assert wide.status == "stuck"
    wide.retry_saga()
    assert sorted(wide.remaining()) == ["c", "d", "e"]
