"""Sagas with conditions, points of no return and verifications, on real workers."""

import threading

import pytest
from celery import signals

from amends import ActRefused, NotDone, Parallel, Refused, SagaStuck
from amends.dispatch import remaining
from amends.dispatch.custody import read_task_id
from tests.support.engine_saga import Part, after_effect, engine_saga, succeed, without_effect
from tests.support.eventually import eventually
from tests.support.log_view import view_of
from tests.support.sagas.shapes import (
    Order,
    doubled,
    each_item,
    items_of,
    shape_of,
    step,
    verified,
)
from tests.support.sagas.wide import DISPATCHES, act_otherwise

pytestmark = pytest.mark.usefixtures("swept")


def each_way(name, *stages, **how):
    """Define a saga of these stages for each way to reach the next step."""
    return {each: shape_of(f"{name}_{each}", *stages, dispatch=each, **how) for each in DISPATCHES}


VERIFIED = each_way("verified", step("a"), verified("b"), step("c"))
SWITCHED = each_way("switched", step("a"), verified("b", fallback=act_otherwise), step("c"))
SETTLED = each_way("settled", step("a"), verified("b", settle=0.3), step("c"))
BRANCHES = each_way(
    "verified_branches", step("a"), Parallel([verified("b"), step("c")], step("d")), step("e")
)
PIVOT = each_way("pivot", step("a"), step("b", pivot=True), step("c"), step("d"))
PIVOT_BRANCHES = each_way(
    "pivot_branches", step("a"), step("b", pivot=True), Parallel(step("c"), step("d")), step("e")
)
PIVOT_LIST = each_way("pivot_list", step("a"), step("b", pivot=True), each_item(), step("e"))
UNKNOWN_PIVOT = each_way("unknown_pivot", step("a"), verified("b", pivot=True), step("c"))
CONDITION = each_way("condition", step("a"), doubled("b", when="input.gift"), step("c"))
FIRST = each_way("condition_first", step("a", when="input.gift"), step("c"))
LAST = each_way("condition_last", step("a"), step("c", when="input.gift"))
STAGES = each_way(
    "condition_stages",
    step("a"),
    Parallel([step("b", when="input.gift"), step("c")], step("d", when="not input.gift")),
    Parallel(step("e"), step("f"), when="input.gift"),
    each_item(when="item.fragile"),
    step("g"),
)


@pytest.fixture(scope="module")
def app(each_app):
    return each_app


def begin(saga, saga_id, **given):
    return saga.start(Order(job_id=saga_id, **given), saga_id=saga_id)


def run(saga, saga_id, **given):
    handle = begin(saga, saga_id, **given)
    return handle, handle.wait(timeout=60)


def stand_stuck(saga, saga_id, why, **given):
    handle = begin(saga, saga_id, **given)
    with pytest.raises(SagaStuck, match=why):
        handle.wait(timeout=60)
    return handle


# Verifications


def test_a_lost_reply_is_asked_for_and_the_step_is_done_with_what_was_found(
    work, saga_id, dispatch
):
    work.script(f"{saga_id}:b", after_effect(OSError("lost")))
    handle, result = run(VERIFIED[dispatch], saga_id)
    assert (handle.status, result.b) == ("completed", "found")
    assert work.records(saga_id) == ["a", "b", "b:verify", "c"]


def test_what_had_no_effect_is_tried_again(work, saga_id, dispatch):
    work.script(f"{saga_id}:b", *[without_effect(OSError("away"))] * 2)
    _, result = run(VERIFIED[dispatch], saga_id)
    assert result.b == "acted"
    assert work.records(saga_id) == ["a", *["b", "b:verify"] * 2, "b", "c"]


def test_what_certainly_had_no_effect_is_not_asked_for(work, saga_id, dispatch):
    work.script(f"{saga_id}:b", *[without_effect(NotDone("away"))] * 2)
    run(VERIFIED[dispatch], saga_id)
    assert work.records(saga_id) == ["a", "b", "b", "b", "c"]


def test_what_failed_for_good_without_effect_is_not_undone(work, saga_id, dispatch):
    work.script(f"{saga_id}:b", *[without_effect(OSError("away"))] * 3)
    handle, result = run(VERIFIED[dispatch], saga_id)
    assert (handle.status, result.outcome) == ("compensated", "no_b")
    assert work.records(saga_id) == ["a", *["b", "b:verify"] * 3, "a:undo"]


def test_the_last_lost_reply_is_asked_for_too(work, saga_id, dispatch):
    work.script(
        f"{saga_id}:b", *[without_effect(OSError("away"))] * 2, after_effect(OSError("lost"))
    )
    handle, result = run(VERIFIED[dispatch], saga_id)
    assert (handle.status, result.b) == ("completed", "found")
    assert work.world.made[f"{saga_id}:b"] == 1


def test_a_fallback_follows_without_a_void_where_nothing_was_done(work, saga_id, dispatch):
    work.script(f"{saga_id}:b", *[without_effect(OSError("away"))] * 3)
    _, result = run(SWITCHED[dispatch], saga_id)
    assert result.b == "acted otherwise"
    assert work.records(saga_id) == ["a", *["b", "b:verify"] * 3, "b:fallback", "c"]


def test_a_question_that_raises_is_asked_again(work, saga_id, dispatch):
    work.script(f"{saga_id}:b", after_effect(OSError("lost")))
    work.script(f"{saga_id}:b:verify", *[without_effect(OSError("away"))] * 2)
    _, result = run(VERIFIED[dispatch], saga_id)
    assert result.b == "found"
    assert work.records(saga_id) == ["a", "b", *["b:verify"] * 3, "c"]


def test_a_question_that_fails_for_good_stands_stuck_until_it_is_asked_again(
    work, saga_id, dispatch
):
    work.script(f"{saga_id}:b", after_effect(OSError("lost")))
    work.script(f"{saga_id}:b:verify", *[without_effect(OSError("away"))] * 3)
    handle = stand_stuck(VERIFIED[dispatch], saga_id, "b:verify failed for good")
    assert "b:undo" not in work.records(saga_id)
    handle.retry(by="ada")
    assert handle.wait(timeout=60).b == "found"
    assert work.world.made[f"{saga_id}:b"] == 1


@pytest.mark.parametrize("output", [None, Part(part="by hand")])
def test_a_question_is_answered_by_an_operator(work, saga_id, dispatch, output):
    work.script(f"{saga_id}:b", without_effect(OSError("away")))
    work.script(f"{saga_id}:b:verify", *[without_effect(OSError("away"))] * 3)
    handle = stand_stuck(VERIFIED[dispatch], saga_id, "b:verify failed for good")
    handle.skip("b" if output else "b:verify", output=output, by="ada", why="they told me")
    assert handle.wait(timeout=60).b == ("acted" if output is None else "by hand")


def test_it_is_asked_once_the_receiver_may_know(work, saga_id, dispatch):
    work.script(f"{saga_id}:b", after_effect(OSError("lost")))
    _, result = run(SETTLED[dispatch], saga_id)
    assert result.b == "found"
    assert work.records(saga_id) == ["a", "b", "b:verify", "c"]


def test_an_attempt_that_is_past_its_time_is_asked_for(work, log, saga_id, dispatch):
    began, goes_on = threading.Event(), threading.Event()

    def hang(key):
        succeed(key)
        began.set()
        assert goes_on.wait(60)

    work.script(f"{saga_id}:b", hang)
    handle = begin(VERIFIED[dispatch], saga_id)
    assert began.wait(60)
    work.let_time_run_out(log, saga_id)
    eventually(lambda: "b:verify" in work.records(saga_id))
    goes_on.set()
    assert handle.wait(timeout=60).b == "found"
    eventually(lambda: "step.late" in [event.name for event in handle.history()])
    assert work.records(saga_id) == ["a", "b", "b:verify", "c"]


def test_a_cancelled_saga_asks_before_it_undoes(work, saga_id, dispatch):
    began, goes_on = threading.Event(), threading.Event()

    def lose_late(key):
        succeed(key)
        began.set()
        assert goes_on.wait(60)
        raise OSError("lost")

    work.script(f"{saga_id}:b", lose_late)
    handle = begin(VERIFIED[dispatch], saga_id)
    assert began.wait(60)
    handle.cancel()
    goes_on.set()
    assert handle.wait(timeout=60).outcome == "cancelled"
    assert work.records(saga_id) == ["a", "b", "b:verify", "b:undo", "a:undo"]
    undo = next(
        call
        for call in engine_saga.calls
        if call.record == "b:undo" and call.context.saga_id == saga_id
    )
    assert undo.output == Part(part="found")


def test_in_a_branch_a_lost_reply_is_asked_for(work, saga_id, dispatch):
    work.script(f"{saga_id}:b", after_effect(OSError("lost")))
    handle, result = run(BRANCHES[dispatch], saga_id)
    assert handle.status == "completed"
    records = work.records(saga_id)
    assert [each for each in records if each[0] in "bc"] == ["b", "b:verify", "c"]
    assert records[-1] == "e"
    assert result.outcome == "completed"


# The point of no return


def test_a_step_past_the_point_of_no_return_stands_stuck_and_is_retried(work, saga_id, dispatch):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    handle = stand_stuck(PIVOT[dispatch], saga_id, "c failed for good")
    with pytest.raises(ActRefused, match="past b, its point of no return"):
        handle.cancel()
    assert work.records(saga_id) == ["a", "b", "c"]
    handle.retry(by="ada", why="it was mended")
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == ["a", "b", "c", "c", "d"]


def test_a_step_past_the_point_of_no_return_is_skipped(work, saga_id, dispatch):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    handle = stand_stuck(PIVOT[dispatch], saga_id, "c failed for good")
    handle.skip("c", output=Part(part="by hand"))
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == ["a", "b", "c", "d"]


def test_a_pivot_that_is_refused_turns_the_saga(work, saga_id, dispatch):
    work.script(f"{saga_id}:b", without_effect(Refused("no")))
    handle, result = run(PIVOT[dispatch], saga_id)
    assert (handle.status, result.outcome) == ("compensated", "no_b")


def test_a_pivot_of_which_nobody_knows_stands_stuck(work, saga_id, dispatch):
    work.script(f"{saga_id}:b", *[after_effect(OSError("lost"))] * 3)
    handle = stand_stuck(PIVOT[dispatch], saga_id, "b failed for good")
    handle.retry()
    assert handle.wait(timeout=60).b == "acted"
    assert "a:undo" not in work.records(saga_id)


def test_a_pivot_that_is_verified_goes_on(work, saga_id, dispatch):
    work.script(
        f"{saga_id}:b", *[without_effect(OSError("away"))] * 2, after_effect(OSError("lost"))
    )
    handle, result = run(UNKNOWN_PIVOT[dispatch], saga_id)
    assert (handle.status, result.b) == ("completed", "found")


def test_a_branch_past_the_point_of_no_return_stands_stuck_and_is_retried(work, saga_id, dispatch):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    handle = stand_stuck(PIVOT_BRANCHES[dispatch], saga_id, "c failed for good")
    assert "d" in work.records(saga_id)
    handle.retry()
    assert handle.wait(timeout=60).outcome == "completed"
    assert sorted(work.records(saga_id)) == ["a", "b", "c", "c", "d", "e"]


def test_the_deadline_is_noted_past_the_point_of_no_return(work, log, saga_id, dispatch):
    began, goes_on = threading.Event(), threading.Event()

    def wait(key):
        succeed(key)
        began.set()
        assert goes_on.wait(60)

    work.script(f"{saga_id}:c", wait)
    handle = begin(PIVOT[dispatch], saga_id)
    assert began.wait(60)
    view = view_of(log)
    view.client.hset(view.saga_key(saga_id), "deadline", 1000)
    view.make_due(saga_id)
    eventually(lambda: "saga.overdue" in [event.name for event in handle.history()])
    goes_on.set()
    assert handle.wait(timeout=60).outcome == "completed"
    assert [event.name for event in handle.history()].count("saga.overdue") == 1


def test_a_list_that_is_too_long_past_the_point_of_no_return_is_skipped_with_a_list(
    work, saga_id, dispatch, monkeypatch
):
    monkeypatch.setattr(remaining, "MOST_ITEMS", 1)
    items = items_of("solid", "solid")
    handle = stand_stuck(PIVOT_LIST[dispatch], saga_id, "pack failed for good", items=items)
    with pytest.raises(ActRefused, match="pack needs its output, a list of Part"):
        handle.skip("pack")
    with pytest.raises(ActRefused, match="pack needs its output, a list of Part"):
        handle.skip("pack", output=Part(part="one"))
    handle.skip("pack", output=[Part(part="by hand"), None])
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id) == ["a", "b", "e"]


# Conditions


@pytest.mark.parametrize("gift", [True, False])
@pytest.mark.parametrize(
    "case",
    [(CONDITION, "abc", "ac"), (FIRST, "ac", "c"), (LAST, "ac", "a")],
    ids=["amid", "first", "last"],
)
def test_a_step_that_is_not_wanted_is_not_called_and_the_next_one_runs(
    work, saga_id, dispatch, case, gift
):
    saga, wanted, unwanted = case
    handle, result = run(saga[dispatch], saga_id, gift=gift)
    assert (handle.status, result.outcome) == ("completed", "completed")
    assert "".join(work.records(saga_id)) == (wanted if gift else unwanted)
    states = {name: each.state for name, each in handle.snapshot().steps.items()}
    left_out = set(wanted) - set(unwanted)
    assert {states[name] for name in left_out} == {"done" if gift else "skipped"}


def test_a_step_that_was_not_wanted_is_not_undone(work, saga_id, dispatch):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    handle, _ = run(CONDITION[dispatch], saga_id)
    assert handle.status == "compensated"
    assert work.records(saga_id) == ["a", "c", "a:undo"]


@pytest.mark.parametrize("gift", [True, False])
def test_conditions_of_branches_stages_and_items(work, saga_id, dispatch, gift):
    handle, _ = run(STAGES[dispatch], saga_id, gift=gift, items=items_of("fragile", "solid"))
    assert handle.status == "completed"
    called = ["a", "b", "c", "e", "f"] if gift else ["a", "c", "d"]
    assert sorted(work.records(saga_id)) == [*called, "g", "pack[1]"]


@pytest.fixture
def rows(saga_id):
    """Return what became of each task of the saga that began, as monitors are told."""
    found = {}

    def begin(task_id, task, **_):
        if task.request.root_id == saga_id:
            found.setdefault(task_id, "began")

    def end(task_id, task, state=None, **_):
        if task.request.root_id == saga_id:
            found[task_id] = state

    signals.task_prerun.connect(begin)
    signals.task_postrun.connect(end)
    yield found
    signals.task_prerun.disconnect(begin)
    signals.task_postrun.disconnect(end)


def test_the_row_of_a_step_that_is_not_wanted_ends(work, saga_id, dispatch, rows):
    run(CONDITION[dispatch], saga_id)

    def states():
        return {
            path: state
            for each, state in rows.items()
            for id_, _, path in read_task_id(each)
            if id_ == saga_id
        }

    eventually(lambda: states() and set(states().values()) == {"SUCCESS"})
    if dispatch == "chain":
        assert set(states()) == {"a", "b", "c"}
