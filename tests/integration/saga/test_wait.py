"""Waiting for a saga or a step of it: what is returned when, and who is told."""

import os
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

import amends
from amends import Refused, SagaStuck, Step
from amends.backend.scripts import DIGESTS
from amends.dispatch.in_process import run_here
from amends.log.waits import Waits
from benchmarks.monitor import Monitor
from tests.support.engine_saga import (
    Job,
    JobResult,
    do_b,
    engine_saga,
    job_saga,
    undo_b,
    without_effect,
)
from tests.support.eventually import eventually
from tests.support.log_view import view_of

NEVER = (600.0, 600.0)
"""Pauses after which a test has failed: what returns was told."""


@pytest.fixture
def root(app, redis_url):
    with redis.Redis.from_url(f"{redis_url}/3", decode_responses=True) as client:
        yield client


@pytest.fixture
def told_only(log, monkeypatch):
    """Let waits look only when they are told to, once they have asked for that."""
    waits = Waits(view_of(log), log.read_status, told=NEVER, turn=600.0)
    monkeypatch.setattr(log, "waits", waits)
    return waits


@pytest.fixture
def pool(root):
    with ThreadPoolExecutor(300) as pool:
        yield pool
        root.flushdb()  # no wait of a test that failed waits on: there is no such saga
        root.client_kill_filter(_type="pubsub")  # wakes a wait that was not told


@pytest.fixture
def begin(pool):
    """Begin to wait, without a timeout, at which it would look."""
    return lambda handle, until=None: pool.submit(handle.wait, until=until)


@pytest.fixture
def start(app):
    def start(saga_id=""):
        saga_id = saga_id or uuid.uuid4().hex
        return job_saga.start(Job(job_id=saga_id), saga_id=saga_id)

    return start


@pytest.fixture
def held(app, start, saga_id, pool):
    """Give a saga that runs and stands in its second step, and the event that lets it go on."""
    arrived, goes_on = threading.Event(), threading.Event()

    def hold(key):
        arrived.set()
        assert goes_on.wait(60)
        engine_saga.world.make(key)

    engine_saga.script(f"{saga_id}:b", hold)
    handle = start(saga_id)
    running = pool.submit(run_here, app, saga_id)
    assert arrived.wait(60)
    yield handle, goes_on
    goes_on.set()
    running.result(60)


def awaited(root, log, handle):
    return root.hget(view_of(log).saga_key(handle.id), "awaited")


def entries(root, log, handle):
    return (awaited(root, log, handle) or "").split()


def early(handle):
    return JobResult.model_construct(job_id=handle.id, outcome=None, part=None, error=None)


def test_a_step_that_is_done_gives_the_output_as_far_as_it_is_filled(held):
    handle, goes_on = held
    assert handle.wait(60, until="a") == early(handle)
    assert amends.get(handle.id).wait(60, until="a") == {
        "job_id": handle.id,
        "outcome": None,
        "part": None,
        "error": None,
    }
    with pytest.raises(TimeoutError, match=r"is running after 0\.1 s"):
        handle.wait(0.1, until="b")
    goes_on.set()
    result = handle.wait(60, until=Step(do_b, name="b", compensation=undo_b))
    assert (result.part, result.outcome) in {("b", None), ("b", "completed")}
    result = handle.wait(60)
    assert handle.wait(60, until="a") == handle.wait(60, until="c") == result


def test_a_step_is_told_while_the_saga_goes_on(app, start, begin, root, log, told_only):
    handle = start()
    wait = begin(handle, "a")
    eventually(lambda: entries(root, log, handle))
    engine_saga.script(
        f"{handle.id}:b", lambda key: engine_saga.world.make(wait.result(20) and key)
    )
    run_here(app, handle.id)
    assert wait.result(60) == early(handle)


def test_a_step_that_is_never_done_is_waited_for_until_the_end(app, start, begin, told_only):
    handle = start()
    engine_saga.script(f"{handle.id}:b", without_effect(Refused("no")))
    waits = [begin(handle, step) for step in ("b", "c")]
    run_here(app, handle.id)
    assert {each.result(60).outcome for each in waits} == {"no_b"}


def test_a_step_that_was_done_and_is_undone_has_its_output_and_the_outcome(app, start):
    handle = start()
    engine_saga.script(f"{handle.id}:c", without_effect(Refused("no")))
    run_here(app, handle.id)
    result = handle.wait(60, until="b")
    assert (result.part, result.outcome) == ("b", "no_c")


def test_a_stuck_saga_gives_what_is_done_and_raises_for_the_rest(app, start, begin, told_only):
    handle = start()
    engine_saga.script(f"{handle.id}:c", without_effect(Refused("no")))
    engine_saga.script(f"{handle.id}:b:undo", without_effect(Refused("no")))
    waits = [begin(handle, step) for step in ("c", None)]
    run_here(app, handle.id)
    for each in waits:
        with pytest.raises(SagaStuck, match="b:undo failed for good"):
            each.result(60)
    assert handle.wait(60, until="b").part == "b"


@pytest.mark.parametrize("name", ["bb", "b:undo", "b:fallback", "", "job", 3, do_b])
def test_what_is_no_step_is_refused_with_the_names_of_those_that_are(start, name):
    with pytest.raises(ValueError, match=r"until=.* is no step of saga 'job'.*steps are a, b, c"):
        start().wait(60, until=name)


def test_the_end_is_told_to_200_waits_by_one_connection(app, start, begin, root, log, told_only):
    handles = [start() for _ in range(20)]
    waits = [begin(handles[k % 20]) for k in range(200)]
    eventually(lambda: all(entries(root, log, each) for each in handles))
    assert [len(entries(root, log, each)) for each in handles] == [1] * 20
    assert root.pubsub_numsub(told_only.subscription.channel)[0][1] == 1
    for each in handles:
        run_here(app, each.id)
    assert [each.result(60).outcome for each in waits] == ["completed"] * 200
    assert [awaited(root, log, each) for each in handles] == [None] * 20


def test_waits_that_are_woken_together_look_a_few_at_a_time(
    app, start, begin, told_only, monkeypatch
):
    """For they share the pool of connections, which has a hundred of them, with all that the process asks the log for."""
    handle, look = start(), told_only.read_status
    lock, together, too_many = threading.Lock(), [0, 0], threading.Event()

    def look_slowly(saga_id):
        with lock:
            together[:] = together[0] + 1, max(together[0] + 1, together[1])
        if together[1] > 16:
            too_many.set()
        too_many.wait(0.2)
        with lock:
            together[0] -= 1
        return look(saga_id)

    monkeypatch.setattr(told_only, "read_status", look_slowly)
    waits = [begin(handle) for _ in range(40)]
    run_here(app, handle.id)
    assert {each.result(60).outcome for each in waits} == {"completed"}
    assert together[1] <= 16


def test_a_wait_of_seconds_asks_a_few_times(start, root, log):
    handle = start()
    with Monitor(root) as monitor, pytest.raises(TimeoutError):
        handle.wait(4.0)
    asked = [each for each in monitor.commands if handle.id in each.text]
    digests = [each.words[1].strip('"') for each in asked if each.name == "EVALSHA"]
    assert digests.count(DIGESTS["await_saga"]) >= 1
    assert len(asked) <= 8  # and 14 or more by looks alone


@pytest.mark.parametrize("until", [None, "c"])
def test_what_comes_before_the_wait_is_noted_is_seen(
    app, start, told_only, monkeypatch, until, begin
):
    handle, note = start(), told_only.await_saga

    def end_before(*args, **channel):
        if channel["channel"]:
            run_here(app, handle.id)
        return note(*args, **channel)

    monkeypatch.setattr(told_only, "await_saga", end_before)
    assert begin(handle, until).result(60).outcome == "completed"


@pytest.mark.parametrize("until", [None, "c"])
def test_what_comes_before_the_pause_is_told(app, start, told_only, monkeypatch, until, begin):
    handle, note = start(), told_only.await_saga

    def end_after(*args, **channel):
        answer = note(*args, **channel)
        if channel["channel"] and not answer[0].is_enough:
            with told_only.subscription.listening(handle.id) as told:
                run_here(app, handle.id)
                assert told.wait(60)  # and so it was to the wait, before it pauses
        return answer

    monkeypatch.setattr(told_only, "await_saga", end_after)
    assert begin(handle, until).result(60).outcome == "completed"


def test_many_sagas_that_end_while_their_waits_begin(app, start, begin, told_only):
    for _ in range(40):
        handle = start()
        waits = [begin(handle, until) for until in (None, "a", "b")]
        run_here(app, handle.id)
        assert all(each.result(60).job_id == handle.id for each in waits)


def test_a_saga_that_ends_while_the_connection_is_lost_is_seen_as_it_is_back(
    app, start, begin, root, log, told_only
):
    handle = start()
    wait = begin(handle)
    eventually(lambda: awaited(root, log, handle))
    root.hdel(view_of(log).saga_key(handle.id), "awaited")  # nothing is published
    run_here(app, handle.id)
    root.client_kill_filter(_type="pubsub")
    assert wait.result(60).outcome == "completed"


def test_a_saga_whose_workers_tell_nothing_is_seen_all_the_same(app, start, begin, root, log):
    """As those of an earlier release do, which do not know the field."""
    handle = start()
    wait = begin(handle)
    eventually(lambda: awaited(root, log, handle))
    root.hdel(view_of(log).saga_key(handle.id), "awaited")
    run_here(app, handle.id)
    assert wait.result(60).outcome == "completed"


def test_a_log_that_notes_no_wait_is_looked_at_as_before(app, start, begin, told_only, monkeypatch):
    """As one that takes no writes."""

    def refuse(*_, channel):
        raise amends.LogUnavailable(f"the saga log does not note {channel}")

    monkeypatch.setattr(told_only, "await_saga", refuse)
    handle = start()
    wait = begin(handle)
    eventually(lambda: told_only.subscription.is_live)
    run_here(app, handle.id)
    assert wait.result(60).outcome == "completed"


def test_a_forked_process_has_a_subscription_of_its_own(app, start, begin, root, log):
    first, second = start(), start()
    wait = begin(first)
    eventually(lambda: awaited(root, log, first))
    child = os.fork()
    if not child:
        code = 1
        try:
            code = second.wait().outcome != "completed"
        finally:
            os._exit(code)
    (own,) = eventually(lambda: entries(root, log, second))
    (parents,) = entries(root, log, first)
    assert own.rpartition("|")[2] != parents.rpartition("|")[2]
    run_here(app, second.id)
    assert os.waitpid(child, 0)[1] == 0
    run_here(app, first.id)
    assert wait.result(60).outcome == "completed"


def test_a_wait_for_a_saga_that_has_ended_subscribes_to_nothing(app, start, root, told_only):
    handle = start()
    run_here(app, handle.id)
    assert handle.wait(60).outcome == "completed"
    assert handle.wait(60, until="a").outcome == "completed"
    assert root.pubsub_numsub(told_only.subscription.channel)[0][1] == 0
