"""Sagas with steps that run at once, on real workers: each broker, each way to reach the next step, with and without the fast path."""

import threading

import pytest

from amends import NotDone, Parallel, Refused, RetryPolicy, SagaStuck, Step, activity
from amends.activities import step_at_hand
from amends.activities.step_at_hand import StepAtHand
from amends.definition.itinerary import RecordPlan
from amends.dispatch import coordinator
from amends.errors import UnreadableData
from amends.log.saga_log import SagaLog
from tests.support.engine_saga import Job, Part, after_effect, engine_saga, succeed, without_effect
from tests.support.eventually import eventually
from tests.support.log_view import view_of
from tests.support.sagas.wide import DISPATCHES, let_branches_wait, parallel_of, step, wide_of

pytestmark = pytest.mark.usefixtures("swept")

WIDE = {dispatch: wide_of(f"wide_{dispatch}", dispatch=dispatch) for dispatch in DISPATCHES}
ORDERED = {
    dispatch: wide_of(f"ordered_{dispatch}", dispatch=dispatch, undo="ordered")
    for dispatch in DISPATCHES
}
FIRST = {
    dispatch: parallel_of(
        f"first_{dispatch}", Parallel(step("b"), step("d")), step("e"), dispatch=dispatch
    )
    for dispatch in DISPATCHES
}
LAST = {
    dispatch: parallel_of(
        f"last_{dispatch}", step("a"), Parallel(step("b"), step("d")), dispatch=dispatch
    )
    for dispatch in DISPATCHES
}
TWO = {
    dispatch: parallel_of(
        f"two_{dispatch}",
        step("a"),
        Parallel(step("b"), step("c")),
        Parallel(step("d"), step("e")),
        step("f", compensation=None),
        dispatch=dispatch,
    )
    for dispatch in DISPATCHES
}


@pytest.fixture(scope="module")
def app(each_app):
    return each_app


def run(saga, saga_id):
    handle = saga.start(Job(job_id=saga_id), saga_id=saga_id)
    return handle, handle.wait(timeout=60)


def until_event(event):
    def act(key):
        assert event.wait(60)
        succeed(key)

    return act


def test_the_branches_run_at_once_and_the_saga_goes_on_once_all_are_done(work, saga_id, dispatch):
    meet = threading.Barrier(2)

    def meeting(key):
        meet.wait(30)
        succeed(key)

    work.script(f"{saga_id}:b", meeting)
    work.script(f"{saga_id}:d", meeting)
    handle, result = run(WIDE[dispatch], saga_id)
    assert (handle.status, result.outcome) == ("completed", "completed")
    assert (result.b, result.d) == ("acted", "acted")
    records = work.records(saga_id)
    assert sorted(records) == ["a", "b", "c", "d", "e"]
    assert (records[0], records[-1]) == ("a", "e")
    assert records.index("b") < records.index("c")


@pytest.mark.parametrize("shape", [FIRST, LAST, TWO], ids=["first", "last", "two"])
def test_stages_stand_where_they_like(work, saga_id, dispatch, shape):
    handle, result = run(shape[dispatch], saga_id)
    assert (handle.status, result.outcome) == ("completed", "completed")
    names = list(handle.snapshot().steps)
    assert sorted(work.records(saga_id)) == sorted(names)


def test_siblings_that_run_finish_and_are_not_retried(work, saga_id, dispatch):
    refused, began = threading.Event(), threading.Event()

    def fail_late(key):
        began.set()
        assert refused.wait(60)
        eventually(lambda: WIDE[dispatch].get(saga_id).status == "compensating")
        raise OSError("away")

    def refuse(_):
        assert began.wait(60)
        refused.set()
        raise Refused("no")

    work.script(f"{saga_id}:b", fail_late)
    work.script(f"{saga_id}:d", refuse)
    handle, result = run(WIDE[dispatch], saga_id)
    assert (handle.status, result.outcome) == ("compensated", "no_d")
    records = work.records(saga_id)
    assert records.count("b") == 1
    assert "c" not in records
    assert records[-1] == "a:undo"
    assert not {key for key in work.world.in_force if key.startswith(saga_id)}


def test_a_sibling_that_takes_effect_after_the_turn_is_undone(work, saga_id, dispatch):
    began, turned = threading.Event(), threading.Event()

    def take_effect_late(key):
        began.set()
        assert turned.wait(60)
        succeed(key)

    def refuse(_):
        assert began.wait(60)
        raise Refused("no")

    work.script(f"{saga_id}:b", take_effect_late)
    work.script(f"{saga_id}:d", refuse)
    handle = WIDE[dispatch].start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: handle.status == "compensating")
    assert set(work.records(saga_id)) == {"a", "b", "d"}
    turned.set()
    assert handle.wait(timeout=60).outcome == "no_d"
    assert work.records(saga_id)[-2:] == ["b:undo", "a:undo"]
    assert work.world.undone[f"{saga_id}:b"] == 1


def test_a_step_after_the_stage_that_is_refused_undoes_all(work, saga_id, dispatch):
    work.script(f"{saga_id}:e", without_effect(Refused("no")))
    handle, result = run(WIDE[dispatch], saga_id)
    assert (handle.status, result.outcome) == ("compensated", "no_e")
    undone = work.records(saga_id)[5:]
    assert sorted(undone) == ["a:undo", "b:undo", "c:undo", "d:undo"]
    assert undone.index("c:undo") < undone.index("b:undo")
    assert undone[-1] == "a:undo"


def test_branches_are_undone_one_after_the_other_where_that_is_asked_for(work, saga_id, dispatch):
    first = threading.Event()

    def begin_first(key):
        succeed(key)
        first.set()

    work.script(f"{saga_id}:d", begin_first)
    work.script(f"{saga_id}:b", until_event(first))
    work.script(f"{saga_id}:e", without_effect(Refused("no")))
    handle, _ = run(ORDERED[dispatch], saga_id)
    started = [e.record for e in handle.history() if e.name == "step.started"]
    undone = [e.record for e in handle.history() if e.name == "step.compensating"]
    branches = {"b": ["c:undo", "b:undo"], "d": ["d:undo"]}
    first, second = [each for each in started if each in branches]
    assert undone == [*branches[second], *branches[first], "a:undo"]


def test_a_branch_tries_again_and_its_sibling_waits(work, saga_id, dispatch):
    work.script(f"{saga_id}:b", *[without_effect(NotDone("away"))] * 2)
    handle, result = run(WIDE[dispatch], saga_id)
    assert result.outcome == "completed"
    assert handle.snapshot().steps["b"].attempts == 3


def test_a_branch_falls_back_after_a_void(work, saga_id, dispatch):
    work.script(f"{saga_id}:d", *[after_effect(OSError("lost"))] * 3)
    handle, result = run(WIDE[dispatch], saga_id)
    assert (result.outcome, result.d) == ("completed", "acted otherwise")
    records = [each for each in work.records(saga_id) if each.startswith("d")]
    assert records == ["d", "d", "d", "d:undo", "d:fallback"]
    assert handle.status == "completed"


def test_a_branch_falls_back_where_nothing_was_done(work, saga_id, dispatch):
    work.script(f"{saga_id}:d", *[without_effect(NotDone("away"))] * 3)
    _, result = run(WIDE[dispatch], saga_id)
    assert (result.outcome, result.d) == ("completed", "acted otherwise")
    assert [each for each in work.records(saga_id) if each.startswith("d")] == [
        *"ddd",
        "d:fallback",
    ]


# Messages


def counted(monkeypatch, saga_id):
    """Count how often it is asked what remains of a saga."""
    asked, inner = [], SagaLog.dispatch_saga

    def ask(log, of, **how):
        if of == saga_id:
            asked.append(of)
        return inner(log, of, **how)

    monkeypatch.setattr(SagaLog, "dispatch_saga", ask)
    return asked


MESSAGES = {
    "chain": [".1.a", ".2.b", ".3.c", ".4.d", ".5.e"],
    "inline": [".1.a", ".4.d"],
}


def test_a_worker_goes_on_in_one_branch_where_it_runs_inline(
    work, saga_id, dispatch, published, monkeypatch
):
    """And whoever ends the stage goes on with what follows it."""
    asked = counted(monkeypatch, saga_id)
    _, result = run(WIDE[dispatch], saga_id)
    assert result.outcome == "completed"
    assert sorted(published(saga_id)) == MESSAGES[dispatch]
    assert len(asked) == 1  # for the stage


def test_a_failure_beside_others_asks_nobody_what_remains(
    work, saga_id, dispatch, published, monkeypatch
):
    """It waits for its siblings, and the one that ends the stage goes on."""
    asked, failed = counted(monkeypatch, saga_id), threading.Event()
    work.script(f"{saga_id}:b", until_event(failed))
    work.script(f"{saga_id}:d", *[without_effect(OSError("away"))] * 3)
    work.script(f"{saga_id}:d:undo", *[without_effect(OSError("away"))] * 3)
    handle = WIDE[dispatch].start(Job(job_id=saga_id), saga_id=saga_id)
    # The primary is unknown and so is its void, which fails for good: there is no fallback then.
    eventually(lambda: handle.status == "compensating")
    eventually(lambda: work.ended[failing(handle, "d.undo")] > 0)
    failed.set()
    with pytest.raises(SagaStuck):
        handle.wait(timeout=60)
    assert not [each for each in published(saga_id) if each.endswith("advance")]
    assert len(asked) == 2  # for the stage, and for its undo


def failing(handle, path):
    events = [event for event in handle.history() if event.name == "step.compensating"]
    assert events
    return next(
        each
        for each in engine_saga.ended
        if each.startswith(f"{handle.id}.") and each.endswith(path)
    )


def test_a_failure_that_is_passed_over_in_a_branch_goes_on_there(
    work, saga_id, dispatch, published
):
    saga = parallel_of(
        f"lenient_{dispatch}",
        Parallel([step("b", on_failure="continue"), step("c")], step("d")),
        step("e"),
        dispatch=dispatch,
    )
    work.script(f"{saga_id}:b", *[without_effect(ValueError("no"))] * 3)
    _, result = run(saga, saga_id)
    assert result.outcome == "completed"
    assert "c" in work.records(saga_id)
    assert not [each for each in published(saga_id) if each.endswith("advance")]


@pytest.fixture
def lost(monkeypatch):
    """Lose the first message of each of these records that a stage is published with."""
    names, inner = set(), coordinator.publish_branches

    def publish(app, saga_id, chains):
        kept = [each for each in chains if each.records[0][0] not in names]
        names.difference_update(each.records[0][0] for each in chains)
        inner(app, saga_id, kept)

    monkeypatch.setattr(coordinator, "publish_branches", publish)
    # Inline, the worker would go on with one of them.
    monkeypatch.setattr(StepAtHand, "_without_own", lambda _, found: found)
    return names


@pytest.mark.parametrize("path", ["b", "d", "d:undo"])
def test_a_lost_message_of_one_branch_is_published_again(work, log, saga_id, dispatch, lost, path):
    lost.add(path)
    if path.endswith("undo"):
        work.script(f"{saga_id}:e", without_effect(Refused("no")))
    handle = WIDE[dispatch].start(Job(job_id=saga_id), saga_id=saga_id)
    sibling = {"b": ".d", "d": ".c", "d:undo": ".b.undo"}[path]
    eventually(
        lambda: [each for each in work.ended if each.startswith(saga_id) and each.endswith(sibling)]
    )
    assert path not in work.records(saga_id)
    let_branches_wait(log, saga_id, ["p2.1" if path == "b" else "p2.2"])
    ends = "compensated" if path.endswith("undo") else "completed"
    handle.wait(timeout=60)
    assert handle.status == ends
    assert work.records(saga_id).count(path) == 1


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_stage_that_was_never_published_is_so_when_it_is_due(
    work, log, saga_id, dispatch, direction, monkeypatch
):
    lost, is_backward = [], direction == "backward"

    def lose_once(app, of, *how):
        if of == saga_id and not lost and (not is_backward or "e" in work.records(saga_id)):
            lost.append(of)
            return None
        return coordinator.dispatched(app, of, *how)

    if is_backward:
        work.script(f"{saga_id}:e", *[without_effect(OSError("away"))] * 3)
    monkeypatch.setattr(step_at_hand, "dispatched", lose_once)
    handle = WIDE[dispatch].start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: lost)
    view_of(log).make_due(saga_id)
    handle.wait(timeout=60)
    assert handle.status == ("completed" if direction == "forward" else "compensated")


def set_routes(app, routes):
    """Change the routes of an app that has published already."""
    app.conf.task_routes = routes
    app.amqp.flush_routes()
    app.amqp.router = app.amqp.Router()


def test_a_route_that_raises_for_one_branch_stops_no_other(app, work, log, saga_id, dispatch):
    broken = {"d"}

    def route(name, args, kwargs, options, task=None, **_):
        if kwargs.get("saga_id") == saga_id and kwargs.get("step") in broken:
            raise KeyError("customer")

    set_routes(app, (route,))
    try:
        handle = WIDE[dispatch].start(Job(job_id=saga_id), saga_id=saga_id)
        eventually(lambda: "c" in work.records(saga_id))
        assert "d" not in work.records(saga_id)
        broken.clear()
        let_branches_wait(log, saga_id, ["p2.2"])
        assert handle.wait(timeout=60).outcome == "completed"
    finally:
        set_routes(app, None)


# Acts


@pytest.fixture
def held(work, saga_id, dispatch):
    """Give a saga whose branch ``d`` runs until an event, while ``b`` and ``c`` are done; and that event."""
    event = threading.Event()
    work.script(f"{saga_id}:d", until_event(event))
    handle = WIDE[dispatch].start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: "c" in work.records(saga_id) and "d" in work.records(saga_id))
    eventually(lambda: handle.snapshot().steps["c"].state == "done")
    yield handle, event
    event.set()


def test_a_cancel_lets_what_runs_finish_and_undoes_all(work, saga_id, held):
    handle, event = held
    handle.cancel(by="ada", why="no more")
    assert handle.status == "compensating"
    assert "c:undo" not in work.records(saga_id)
    event.set()
    assert handle.wait(timeout=60).outcome == "cancelled"
    records = work.records(saga_id)
    assert sorted(records[4:]) == ["a:undo", "b:undo", "c:undo", "d:undo"]


def test_a_pause_stops_each_branch_and_a_resume_lets_each_go_on(work, saga_id, dispatch):
    events = {path: threading.Event() for path in "bd"}
    began = {path: threading.Event() for path in "bd"}

    def wait_in(path):
        def act(key):
            began[path].set()
            assert events[path].wait(60)
            succeed(key)

        return act

    for path in "bd":
        work.script(f"{saga_id}:{path}", wait_in(path))
    handle = WIDE[dispatch].start(Job(job_id=saga_id), saga_id=saga_id)
    assert all(each.wait(60) for each in began.values())
    handle.pause()
    for each in events.values():
        each.set()
    eventually(
        lambda: handle.snapshot().steps["b"].state == handle.snapshot().steps["d"].state == "done"
    )
    assert set(work.records(saga_id)) == {"a", "b", "d"}
    handle.resume()
    assert handle.wait(timeout=60).outcome == "completed"
    assert sorted(work.records(saga_id)) == ["a", "b", "c", "d", "e"]


@pytest.fixture
def stuck(work, saga_id, dispatch):
    """Give a saga that stands stuck as the undo of ``c`` failed for good."""
    work.script(f"{saga_id}:e", without_effect(Refused("no")))
    work.script(f"{saga_id}:c:undo", *[without_effect(ValueError("no"))] * 3)
    handle = WIDE[dispatch].start(Job(job_id=saga_id), saga_id=saga_id)
    with pytest.raises(SagaStuck, match="c:undo failed for good"):
        handle.wait(timeout=60)
    return handle


def test_a_branch_whose_undo_is_stuck_stops_no_other(work, saga_id, stuck):
    assert {"d:undo", "b:undo", "a:undo"} <= set(work.records(saga_id))


def test_a_stuck_undo_in_a_branch_is_retried(work, saga_id, stuck):
    stuck.retry(by="ada", why="the bank is back")
    assert stuck.wait(timeout=60).outcome == "no_e"
    assert stuck.status == "compensated"
    assert work.records(saga_id).count("c:undo") == 4


def test_a_stuck_undo_in_a_branch_is_skipped(work, saga_id, stuck):
    stuck.skip("c", by="ada", why="by hand")
    assert stuck.wait(timeout=60).outcome == "no_e"
    assert (stuck.status, stuck.snapshot().steps["c"].state) == ("compensated", "skipped")


def test_a_step_that_waits_in_a_branch_is_skipped_with_an_output(work, saga_id, dispatch):
    work.script(f"{saga_id}:d", without_effect(NotDone("away", retry_after=600.0)))
    handle = WIDE[dispatch].start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: "step.retrying" in [event.name for event in handle.history()])
    handle.skip("d", output=Part(part="by hand"))
    assert handle.wait(timeout=60).d == "by hand"
    assert work.records(saga_id).count("d") == 1


def test_a_step_that_waits_in_a_branch_is_retried_at_once(work, saga_id, dispatch):
    work.script(f"{saga_id}:d", without_effect(NotDone("away", retry_after=600.0)))
    handle = WIDE[dispatch].start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: "step.retrying" in [event.name for event in handle.history()])
    handle.retry()
    assert handle.wait(timeout=60).outcome == "completed"
    assert work.records(saga_id).count("d") == 2


# Workers that cannot


@pytest.fixture
def parks_after(app, monkeypatch):
    return lambda most: monkeypatch.setitem(app.conf, "amends_poison_after", most)


def test_an_unknown_task_in_one_branch_parks_the_saga_and_it_goes_on_once_it_is_known(
    worker, work, log, saga_id, dispatch, parks_after
):
    name = f"deployed.later_{saga_id}"
    parks_after(2)

    @activity(name=name, retry=RetryPolicy(initial_interval=0.01))
    def do_later(job: Job) -> None:
        engine_saga.play(job)

    wide = Parallel([step("b"), step("c")], Step(do_later, name="later", compensation=None))
    saga = parallel_of(
        f"later_{dispatch}", step("a"), wide, step("e"), outputs={"b": "b.part"}, dispatch=dispatch
    )
    handle = saga.start(Job(job_id=saga_id), saga_id=saga_id)

    def dropped():
        return [event.record for event in handle.history() if event.name == "step.unregistered"]

    eventually(dropped)
    eventually(lambda: handle.snapshot().steps["c"].state == "done")
    view_of(log).make_due(saga_id)
    with pytest.raises(SagaStuck, match=r"no worker knows the task deployed\.later_"):
        handle.wait(timeout=60)
    assert dropped() == ["later"]  # the second one is why it stands stuck
    worker.consumer.update_strategies()
    worker_profile_is_told(log, name)
    view_of(log).make_due(saga_id)
    eventually(lambda: handle.status == "completed")
    assert sorted(work.records(saga_id)) == ["a", "b", "c", "e", "later"]


def worker_profile_is_told(log, name):
    eventually(
        lambda: any(name in (each.tasks or ()) for each in log.profiles.read_live()), timeout=90
    )


def test_an_input_that_cannot_be_read_in_one_branch_parks_the_saga_and_it_goes_on_once_it_can(
    work, log, saga_id, dispatch, monkeypatch, parks_after
):
    parks_after(1)
    inner = RecordPlan.arguments

    def cannot(record, *how):
        if record.path == "d":
            raise UnreadableData("d cannot read it")
        return inner(record, *how)

    with monkeypatch.context() as patch:
        patch.setattr(RecordPlan, "arguments", cannot)
        handle = WIDE[dispatch].start(Job(job_id=saga_id), saga_id=saga_id)
        with pytest.raises(SagaStuck, match="d cannot read it"):
            handle.wait(timeout=60)
    view_of(log).make_due(saga_id)
    eventually(lambda: handle.status == "completed")
    assert sorted(work.records(saga_id)) == ["a", "b", "c", "d", "e"]
