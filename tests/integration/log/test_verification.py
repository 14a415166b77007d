"""Verifications in the log by hand: when a receiver is asked, and what follows its answer."""

import pytest

from amends import Parallel
from amends.log.answers import AtRest, Lacking, Run, Stop
from tests.support.clock import Since
from tests.support.sagas.shapes import (
    each_item,
    find_wrapping,
    items_of,
    shape_of,
    step,
    verified,
)
from tests.support.sagas.wide import act_otherwise

ASK = shape_of("ask", step("a"), verified("b"), step("c"))
LENIENT = shape_of("lenient", step("a"), verified("b", on_failure="continue"), step("c"))
DOUBLED = shape_of("doubled", step("a"), verified("b", fallback=act_otherwise), step("c"))
SETTLE = shape_of("settle", step("a"), verified("b", settle=200.0), step("c"))
SLOW = shape_of("slow", step("a"), verified("b", settle=1000.0), step("c"), timeout=None)
BRANCH = shape_of("branch", step("a"), Parallel([verified("b"), step("c")], step("d")), step("e"))
SLOW_BRANCH = shape_of(
    "slow_branch", step("a"), Parallel(verified("b", settle=200.0), step("d")), step("e")
)
ITEMS = shape_of("items", step("a"), each_item(verify=find_wrapping), step("e"))
FOUND, NONE = '{"part":"found"}', "null"


def unknown(course, path="b", **how):
    """Let an attempt end of whose effect nobody knows, and another one be possible."""
    tries = course.log.read_saga(course.id).records[path].tries
    course.run(path, retries=tries)
    return course.retry(path, **{"unknown": True, **how})


@pytest.fixture
def asked(course):
    """Give a saga whose step is asked for before its next attempt."""
    course = course(ASK)
    course.do("a")
    unknown(course)
    return course


@pytest.fixture
def lost(course):
    """Give a saga whose step failed for good, and is asked for before anything else."""
    course = course(ASK)
    course.do("a")
    course.lose("b", unknown=True)
    return course


# When it is asked


def test_it_is_asked_before_the_next_attempt(asked):
    assert (asked.state("b"), asked.remaining()[0]) == ("unknown", "b:verify")
    assert asked.claim("b", retries=9) == Stop(reason="it is finished: unknown")


def test_nothing_is_asked_where_the_attempt_certainly_had_no_effect(course):
    course = course(ASK)
    course.do("a")
    unknown(course, unknown=False)
    assert course.remaining()[0] == "b"
    assert isinstance(course.claim("b:verify"), Stop)
    course.run("b", retries=1)
    course.fail("b")
    assert course.remaining() == ["a:undo"]


def test_it_is_asked_before_what_follows_a_final_failure(lost):
    assert (lost.status, lost.state("b")) == ("running", "unknown")
    assert lost.remaining()[0] == "b:verify"
    assert "saga.compensating" not in lost.names()


def test_it_is_asked_before_a_fallback_and_its_void(course):
    course = course(DOUBLED)
    course.do("a")
    course.lose("b", unknown=True)
    assert course.remaining()[0] == "b:verify"
    assert not {"b:undo", "b:fallback"} & set(course.remaining())
    for path in ("b:undo", "b:fallback", "c"):
        assert isinstance(course.claim(path), Stop)


@pytest.mark.parametrize("cost", ["attempt", "death", "worker_death"])
def test_it_is_asked_after_a_process_died(course, cost):
    course = course(ASK)
    course.do("a")
    unknown(course, cost=cost)
    assert course.remaining()[0] == "b:verify"


@pytest.mark.parametrize("ends", ["retry", "fail"])
def test_it_is_asked_after_a_claim_was_taken_over(course, ends):
    """The hard limit passed, or its owner is gone: a sweep ends the attempt under a token of its own."""
    course = course(ASK)
    course.do("a")
    course.run("b")
    assert course.take_over("b", "sweep", "t")
    if ends == "retry":
        course.retry("b", "sweep", unknown=True)
    else:
        course.fail("b", "sweep", unknown=True)
    assert course.remaining()[0] == "b:verify"
    assert course.complete("b", output=FOUND).said == "late"
    assert course.state("b") == "unknown"


def test_it_is_asked_with_the_input_of_what_it_asks_for(asked):
    answer = asked.run("b:verify")
    record = answer.itinerary.records["b:verify"]
    assert record.inputs == answer.itinerary.records["b"].inputs
    assert answer.sources["input"]["job_id"] == asked.id
    assert record.compensated_path == "b"


def test_it_has_no_deadline_of_the_saga(asked):
    """A question cut short by it would stand stuck, and the way back has to ask all the same."""
    assert asked.run("b:verify").saga_time_left is None


# It took effect


def test_what_took_effect_is_done_with_the_output_that_was_found(asked):
    assert asked.ask("b:verify", FOUND).said in ("go", "advance")
    entry = asked.log.read_saga(asked.id)
    assert (asked.state("b"), entry.output_of("b")) == ("done", {"part": "found"})
    assert asked.events()[-2:] == ["step.verified b:verify", "step.completed b"]
    assert asked.log.read_history(asked.id)[-2].details["effect"] is True
    assert asked.remaining() == ["c"]


def test_the_chain_goes_on_after_what_took_effect(asked):
    asked.run("b:verify")
    assert asked.complete("b:verify", output=FOUND, link="c").said == "go"


@pytest.mark.parametrize("saga", [ASK, DOUBLED])
def test_what_failed_for_good_and_took_effect_is_done(course, saga):
    course = course(saga)
    course.do("a")
    course.lose("b", unknown=True)
    course.ask("b:verify", FOUND)
    assert (course.state("b"), course.remaining()) == ("done", ["c"])
    course.do("c")
    assert (course.status, course.outcome) == ("completed", "completed")


def test_what_took_effect_is_undone_with_the_output_that_was_found(asked):
    asked.ask("b:verify", FOUND)
    asked.lose("c")
    assert asked.remaining() == ["b:undo", "a:undo"]
    assert asked.run("b:undo").compensated_output == {"part": "found"}


# It had no effect


def test_what_had_no_effect_is_tried_again(asked):
    asked.ask("b:verify", NONE)
    assert asked.events()[-1] == "step.verified b:verify"
    assert asked.log.read_history(asked.id)[-1].details["effect"] is False
    assert asked.remaining() == ["b", "c"]
    assert asked.run("b", retries=1).attempts == 1
    asked.complete("b", output=FOUND)
    asked.do("c")
    assert asked.status == "completed"


def test_what_had_no_effect_waits_for_its_attempt_still(course):
    course = course(ASK)
    course.do("a")
    since = Since(course.client)
    unknown(course, wait=1000.0)
    course.ask("b:verify", NONE)
    assert course.remaining() == []
    assert course.seconds_until("b") in since.left(1000.0)


def test_what_had_no_effect_and_fails_certainly_after_that_is_not_undone(asked):
    asked.ask("b:verify", NONE)
    asked.run("b", retries=1)
    asked.fail("b")
    assert (asked.state("b"), asked.remaining()) == ("failed", ["a:undo"])


def test_what_failed_for_good_without_effect_turns_the_saga_and_is_not_undone(lost):
    lost.ask("b:verify", NONE)
    assert (lost.state("b"), lost.outcome) == ("failed", "lost")
    assert lost.log.read_saga(lost.id).error == "Problem: it did not work"
    assert lost.remaining() == ["a:undo"]
    assert lost.events().count("step.failed b") == 2


def test_what_failed_for_good_without_effect_falls_back_without_a_void(course):
    course = course(DOUBLED)
    course.do("a")
    course.lose("b", unknown=True)
    course.ask("b:verify", NONE)
    assert course.remaining() == ["b:fallback", "c"]
    course.do("b:fallback", "c")
    assert (course.status, course.state("b:undo")) == ("completed", "pending")


def test_a_refusal_without_effect_does_not_fall_back(course):
    course = course(DOUBLED)
    course.do("a")
    course.lose("b", unknown=True, refused=True)
    course.ask("b:verify", NONE)
    assert (course.outcome, course.remaining()) == ("lost", ["a:undo"])


def test_a_failure_without_effect_is_passed_over(course):
    course = course(LENIENT)
    course.do("a")
    course.lose("b", unknown=True)
    course.ask("b:verify", NONE)
    assert (course.state("b"), course.remaining()) == ("failed", ["c"])


def test_a_fallback_is_asked_for_by_a_record_of_its_own(course):
    course = course(DOUBLED)
    course.do("a")
    course.lose("b")
    unknown(course, "b:fallback")
    assert course.remaining()[0] == "b:fallback:verify"
    course.ask("b:fallback:verify", NONE)
    assert course.remaining()[0] == "b:fallback"
    course.run("b:fallback", retries=1)
    course.fail("b:fallback", unknown=True)
    course.ask("b:fallback:verify", FOUND, retries=1)
    assert course.log.read_saga(course.id).sources["b"] == {"part": "found"}
    assert course.remaining() == ["c"]


# Nobody knows still


def test_a_question_that_fails_is_asked_again(asked):
    unknown(asked, "b:verify")
    assert (asked.state("b"), asked.state("b:verify")) == ("unknown", "pending")
    assert asked.remaining()[0] == "b:verify"
    assert isinstance(asked.claim("b:verify"), Stop)  # an older message
    asked.ask("b:verify", FOUND, retries=1)
    assert asked.state("b") == "done"


def test_a_claim_of_an_earlier_question_that_comes_again_late_is_none_of_the_next_one(asked):
    asked.ask("b:verify", NONE)
    unknown(asked)
    assert isinstance(asked.claim("b:verify"), Stop)
    assert (asked.state("b"), asked.state("b:verify")) == ("unknown", "pending")
    asked.ask("b:verify", FOUND, retries=1)
    assert asked.state("b") == "done"


def test_each_question_has_all_attempts(asked):
    for _ in range(3):
        unknown(asked, "b:verify")
    asked.run("b:verify", retries=3)
    asked.complete("b:verify", output=NONE)
    unknown(asked)
    answer = asked.run("b:verify", retries=4)
    assert (answer.spent, answer.attempts) == (0, 4)


def test_each_question_has_all_deaths(asked):
    for _ in range(2):
        unknown(asked, "b:verify", cost="death")
    asked.ask("b:verify", NONE, retries=2)
    unknown(asked)
    record = asked.log.read_saga(asked.id).records["b:verify"]
    assert record.used.since(record.renewed).deaths == 0


@pytest.fixture
def stuck(asked):
    """Give a saga of whose step nobody can say whether it took effect."""
    assert asked.lose("b:verify", unknown=True) == AtRest()
    assert (asked.status, asked.reason) == ("stuck", "b:verify failed for good")
    return asked


def test_a_question_that_fails_for_good_waits_for_an_operator(stuck):
    assert (stuck.state("b"), stuck.state("b:verify")) == ("unknown", "stuck")
    assert stuck.remaining() == []
    assert stuck.field("direction") == "forward"


def test_a_question_that_stands_stuck_is_retried(stuck):
    stuck.retry_saga()
    assert (stuck.status, stuck.remaining()[0]) == ("running", "b:verify")
    assert stuck.run("b:verify", retries=1).spent == 0
    stuck.complete("b:verify", output=NONE)
    assert stuck.remaining()[0] == "b"


def test_a_question_is_answered_by_an_operator_that_it_had_no_effect(stuck):
    assert stuck.skip("b") == Lacking("b")  # which may have been forgotten
    assert stuck.state("b:verify") == "stuck"
    stuck.skip("b:verify")
    assert (stuck.status, stuck.state("b"), stuck.remaining()) == ("running", "pending", ["b", "c"])


@pytest.mark.parametrize("path", ["b", "b:verify"])
def test_a_question_is_answered_by_an_operator_with_what_took_effect(stuck, path):
    stuck.skip(path, FOUND)
    entry = stuck.log.read_saga(stuck.id)
    assert (stuck.state("b"), entry.output_of("b")) == ("done", {"part": "found"})
    assert stuck.remaining() == ["c"]


def test_a_final_failure_is_answered_by_an_operator_that_it_had_no_effect(lost):
    lost.lose("b:verify", unknown=True)
    lost.skip("b:verify")
    assert (lost.status, lost.state("b"), lost.remaining()) == (
        "compensating",
        "failed",
        ["a:undo"],
    )


def test_a_question_that_waits_is_answered_by_an_operator(asked):
    asked.skip("b", FOUND)
    assert (asked.state("b"), asked.remaining()) == ("done", ["c"])


# How long a receiver takes to know


def test_it_is_asked_no_sooner_than_the_receiver_may_know(course):
    course = course(SETTLE)
    course.do("a")
    since = Since(course.client)
    unknown(course)
    assert course.seconds_until("b:verify", "y") in since.left(200.0)
    assert course.claim("b:verify") == Stop(reason="it is asked later")
    assert course.look().wait in since.left(200.0)
    course.let_wait_pass("b:verify")
    course.ask("b:verify", FOUND)
    assert course.state("b") == "done"


def test_an_operators_retry_asks_no_sooner(course):
    course = course(SETTLE)
    course.do("a")
    since = Since(course.client)
    unknown(course)
    course.retry_saga()
    assert course.claim("b:verify") == Stop(reason="it is asked later")
    assert course.look().wait in since.left(200.0)


def test_a_question_that_stood_stuck_is_asked_at_once_where_the_receiver_may_know(course):
    course = course(SETTLE)
    course.do("a")
    unknown(course)
    course.let_wait_pass("b:verify")
    course.lose("b:verify", unknown=True)
    course.retry_saga()
    assert course.look().wait == 0.0
    course.ask("b:verify", FOUND, retries=1)
    assert course.state("b") == "done"


def test_each_question_waits_for_the_receiver(course):
    course = course(SETTLE)
    course.do("a")
    unknown(course)
    course.let_wait_pass("b:verify")
    course.ask("b:verify", NONE)
    unknown(course)
    assert course.claim("b:verify") == Stop(reason="it is asked later")


def test_a_long_wait_for_the_receiver_stays_in_the_log(course):
    course = course(SLOW)
    course.do("a")
    since = Since(course.client)
    unknown(course)
    assert course.remaining() == []
    assert course.due_in() in since.left(1000.0)


def test_a_message_of_a_question_is_sent_once_a_long_wait_is_over(course):
    course = course(SLOW)
    course.do("a")
    unknown(course)
    course.remaining()
    course.let_wait_pass("b:verify")
    found = course.log.dispatch_saga(course.id, longest_wait=300.0, only_look=True)
    assert (found.path, found.times) == ("b:verify", 0)  # none is under way
    assert course.remaining() == ["b:verify", "c"]


# On the way back


def turned_by_cancel(course):
    course.cancel()


def turned_by_deadline(course):
    course.let_deadline_pass()
    course.look()


TURNS = pytest.mark.parametrize("turn", [turned_by_cancel, turned_by_deadline])


@TURNS
@pytest.mark.parametrize("saga", [ASK, DOUBLED])
def test_what_waits_to_be_asked_for_is_so_before_its_undo(course, turn, saga):
    course = course(saga)
    course.do("a")
    unknown(course)
    turn(course)
    assert course.state("b") == "unknown"
    assert course.claim("b:undo") == Stop(reason="b:verify comes first")
    course.ask("b:verify", FOUND)
    assert course.claim("a:undo") == Stop(reason="b:undo comes first")
    assert course.run("b:undo").compensated_output == {"part": "found"}
    course.complete("b:undo")
    course.do("a:undo")
    assert course.status == "compensated"


@TURNS
def test_what_had_no_effect_is_not_tried_again_and_not_undone_after_the_turn(asked, turn):
    turn(asked)
    asked.ask("b:verify", NONE)
    assert (asked.state("b"), asked.remaining()) == ("failed", ["a:undo"])
    asked.do("a:undo")
    assert asked.status == "compensated"


@TURNS
@pytest.mark.parametrize("output", [FOUND, NONE])
def test_a_question_that_is_under_way_is_answered_after_the_turn(asked, turn, output):
    asked.run("b:verify")
    turn(asked)
    asked.complete("b:verify", output=output)
    assert asked.remaining() == (["b:undo", "a:undo"] if output == FOUND else ["a:undo"])


@pytest.mark.parametrize("ends", ["retry", "fail"])
def test_an_attempt_that_ends_after_the_turn_is_asked_for(course, ends):
    course = course(ASK)
    course.do("a")
    course.run("b")
    course.cancel()
    getattr(course, ends)("b", unknown=True)
    assert course.remaining()[:2] == ["b:verify", "b:undo"]
    course.ask("b:verify", NONE)
    assert (course.state("b"), course.remaining()) == ("failed", ["a:undo"])


def test_an_attempt_that_certainly_had_no_effect_is_not_asked_for_after_the_turn(course):
    course = course(ASK)
    course.do("a")
    course.run("b")
    course.cancel()
    course.retry("b", unknown=False)
    assert (course.state("b"), course.remaining()) == ("failed", ["a:undo"])


def test_a_final_failure_that_is_cancelled_does_not_fall_back(course):
    course = course(DOUBLED)
    course.do("a")
    course.lose("b", unknown=True)
    course.cancel()
    course.ask("b:verify", NONE)
    assert course.remaining() == ["a:undo"]


@pytest.fixture
def stuck_backward(asked):
    """Give a saga that was cancelled, and of whose step nobody can say whether it took effect."""
    asked.cancel()
    asked.lose("b:verify", unknown=True)
    return asked


def test_a_question_that_fails_for_good_holds_up_its_undo_alone(stuck_backward):
    assert stuck_backward.remaining() == ["a:undo"]
    assert isinstance(stuck_backward.claim("b:undo"), Stop)
    stuck_backward.do("a:undo")
    assert (stuck_backward.status, stuck_backward.reason) == ("stuck", "b:verify failed for good")


@pytest.mark.parametrize("output", ["", FOUND])
def test_an_operator_answers_it_on_the_way_back(stuck_backward, output):
    stuck_backward.do("a:undo")
    stuck_backward.skip("b:verify", output)
    if output:
        assert stuck_backward.remaining() == ["b:undo"]
        stuck_backward.do("b:undo")
    assert stuck_backward.status == "compensated"


def test_an_operator_has_it_asked_again_on_the_way_back(stuck_backward):
    stuck_backward.do("a:undo")
    stuck_backward.retry_saga()
    assert stuck_backward.remaining()[0] == "b:verify"
    stuck_backward.ask("b:verify", FOUND, retries=1)
    assert stuck_backward.remaining() == ["b:undo"]


# Answers that are lost, late or said twice


@pytest.mark.parametrize("output", [FOUND, NONE])
def test_an_answer_that_is_said_twice_is_heard_once(asked, output):
    first = asked.ask("b:verify", output)
    before = asked.events()
    assert asked.complete("b:verify", output=output).said == first.said
    assert asked.events() == before


@pytest.mark.parametrize("ends", ["retry", "fail"])
def test_an_attempt_whose_end_is_said_twice_is_asked_for_once(course, ends):
    course = course(ASK)
    course.do("a")
    course.run("b")
    first = getattr(course, ends)("b", unknown=True)
    before = course.events()
    assert getattr(course, ends)("b", unknown=True).said == first.said
    assert course.events() == before
    assert course.remaining()[0] == "b:verify"


@pytest.mark.parametrize("ends", ["retry", "fail"])
def test_a_question_whose_end_is_said_twice_ends_once(asked, ends):
    asked.run("b:verify")
    first = getattr(asked, ends)("b:verify", unknown=True)
    before = asked.events()
    assert getattr(asked, ends)("b:verify", unknown=True) == first
    assert asked.events() == before


def test_an_answer_under_a_claim_that_was_lost_is_late(asked):
    asked.run("b:verify")
    assert asked.take_over("b:verify", "sweep", "t")
    assert asked.complete("b:verify", output=FOUND).said == "late"
    assert (asked.state("b"), asked.events()[-1]) == ("unknown", "step.late b:verify")
    asked.retry("b:verify", "sweep", cost="death")
    assert asked.remaining()[0] == "b:verify"
    asked.ask("b:verify", FOUND, retries=1)
    assert asked.state("b") == "done"


def test_an_answer_to_an_earlier_question_is_late(asked):
    asked.ask("b:verify", NONE)
    unknown(asked)
    assert asked.complete("b:verify", output=FOUND).said == "late"
    assert asked.state("b") == "unknown"


# In branches, and of items


@pytest.fixture
def branch(course):
    """Give a saga whose step in a branch is asked for."""
    course = course(BRANCH)
    course.do("a")
    course.remaining()
    unknown(course)
    return course


@pytest.mark.parametrize(("output", "follows"), [(FOUND, "c"), (NONE, "b")])
def test_in_a_branch_it_is_asked_and_the_branch_goes_on(branch, output, follows):
    branch.run("d")
    branch.ask("b:verify", output)
    if follows == "b":
        branch.run("b", retries=1)
        branch.complete("b", output=FOUND)
    branch.do("c")
    branch.complete("d")
    assert branch.remaining() == ["e"]


def test_in_a_branch_that_turned_it_is_asked_before_the_undo_and_no_sooner(branch):
    branch.run("d")
    branch.cancel()
    assert branch.claim("b:verify") == Stop(reason="another stage is at hand")
    branch.complete("d")
    assert sorted(branch.remaining()) == ["b:undo", "b:verify", "d:undo"]
    branch.ask("b:verify", FOUND)
    branch.do("b:undo", "d:undo")
    assert branch.remaining() == ["a:undo"]


def test_in_a_branch_a_sibling_that_ends_after_the_turn_is_asked_for(course):
    course = course(BRANCH)
    course.do("a")
    course.remaining()
    course.run("b")
    course.lose("d")
    course.retry("b", unknown=True)
    assert sorted(course.remaining()) == ["b:undo", "b:verify"]
    course.ask("b:verify", NONE)
    assert course.remaining() == ["a:undo"]
    assert "step.started b" in course.events()
    assert course.events().count("step.started b") == 1


def test_in_a_branch_a_question_that_stands_stuck_stops_no_other(branch):
    branch.lose("b:verify", unknown=True)
    assert branch.status == "running"
    branch.do("d")
    assert (branch.status, branch.reason) == ("stuck", "b:verify failed for good")
    branch.skip("b", FOUND)
    assert (branch.status, branch.remaining()) == ("running", ["c"])
    branch.do("c", "e")
    assert branch.status == "completed"


def test_in_a_branch_a_question_that_stands_stuck_is_retried(branch):
    branch.lose("b:verify", unknown=True)
    branch.do("d")
    branch.retry_saga()
    assert branch.remaining()[0] == "b:verify"
    branch.ask("b:verify", FOUND, retries=1)
    branch.do("c", "e")
    assert branch.status == "completed"


def test_in_a_branch_it_is_asked_no_sooner_than_the_receiver_may_know(course):
    course = course(SLOW_BRANCH)
    course.do("a")
    course.remaining()
    unknown(course)
    assert course.claim("b:verify") == Stop(reason="it is asked later")
    course.do("d")
    course.retry_saga()
    assert course.claim("b:verify") == Stop(reason="it is asked later")
    course.let_wait_pass("b:verify")
    course.ask("b:verify", FOUND)
    assert course.remaining() == ["e"]


def test_of_items_each_is_asked_for(course):
    course = course(ITEMS, items=items_of("solid", "solid", "solid"))
    course.do("a")
    course.remaining()
    unknown(course, "pack[1]")
    course.lose("pack[2]", unknown=True)
    course.run("pack[3]")
    assert isinstance(course.claim("pack[1]:verify"), Run)
    course.complete("pack[1]:verify", output=NONE)
    course.ask("pack[2]:verify", FOUND)
    course.complete("pack[3]", output=FOUND)
    course.run("pack[1]", retries=1)
    course.complete("pack[1]", output=FOUND)
    assert course.states("pack[1]", "pack[2]", "pack[3]") == ["done"] * 3
    assert course.remaining() == ["e"]
