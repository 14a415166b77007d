"""Coroutines of activities, run in threads without a loop, and in the middle of one."""

import asyncio
import contextvars
import os
import signal
import threading
import time
from contextlib import suppress

import pytest
from billiard.pool import SIG_SOFT_TIMEOUT, soft_timeout_sighandler
from celery.exceptions import SoftTimeLimitExceeded

from amends.activities import coroutines, greenlets
from amends.activities.coroutines import call
from amends.activities.raised import as_told
from amends.definition.error_origin import frame_of

DEADLINE = 60.0


async def wait_for_ever(said):
    try:
        await asyncio.Event().wait()
    except BaseException as error:
        said.append(error)
        raise


async def loop_of():
    return asyncio.get_running_loop()


async def think(seconds):
    await asyncio.sleep(seconds)
    return "thought"


def in_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join(DEADLINE)
    return found[0]


def test_a_function_that_is_not_async_is_just_called():
    assert call(lambda a, b: a + b, [1, 2], limit=None) == 3


def test_a_coroutine_is_run_to_its_end():
    assert call(think, [0.0], limit=None) == "thought"


def test_a_thread_keeps_its_loop_across_calls():
    assert call(loop_of, [], limit=None) is call(loop_of, [], limit=None)


def test_threads_have_loops_of_their_own_which_end_with_them():
    mine, other = call(loop_of, [], limit=None), in_thread(lambda: call(loop_of, [], limit=None))
    assert mine is not other
    assert (mine.is_closed(), other.is_closed()) == (False, True)


def test_what_was_made_in_one_call_works_in_the_next():
    async def make():
        return asyncio.Queue(), asyncio.create_task(asyncio.sleep(0, "kept"))

    async def use(queue, task):
        queue.put_nowait(await task)
        return await queue.get()

    assert call(use, call(make, [], limit=None), limit=None) == "kept"


def test_it_runs_in_a_copy_of_the_callers_context():
    place = contextvars.ContextVar("place", default="nowhere")

    async def look():
        found = place.get()
        place.set("elsewhere")
        return found

    place.set("here")
    assert (call(look, [], limit=None), place.get()) == ("here", "here")


def test_its_time_limit_is_celerys_error_where_it_waits_and_a_cancellation():
    said = []
    with pytest.raises(SoftTimeLimitExceeded) as raised:
        call(wait_for_ever, [said], limit=0.01)
    assert isinstance(said[0], SoftTimeLimitExceeded)
    assert isinstance(said[0], asyncio.CancelledError)
    assert type(raised.value) is SoftTimeLimitExceeded  # what goes on is Celery's own


def test_past_its_limit_it_may_clean_up_and_return():
    async def clean_up():
        try:
            await asyncio.Event().wait()
        except SoftTimeLimitExceeded:
            await asyncio.sleep(0)
            return "cleaned up"

    assert call(clean_up, [], limit=0.01) == "cleaned up"


@pytest.mark.parametrize("how", ["gather", "wait_for", "TaskGroup", "body of a TaskGroup"])
def test_its_limit_ends_the_tasks_that_it_waits_for(how):
    said = []

    async def wait_for_others():
        if how == "gather":
            await asyncio.gather(wait_for_ever(said), wait_for_ever(said))
        elif how == "wait_for":
            await asyncio.wait_for(wait_for_ever(said), DEADLINE)
        else:
            async with asyncio.TaskGroup() as group:
                group.create_task(wait_for_ever(said))
                if how == "body of a TaskGroup":
                    await asyncio.Event().wait()

    with pytest.raises(SoftTimeLimitExceeded):
        call(wait_for_others, [], limit=0.05)
    assert said
    assert all(isinstance(each, asyncio.CancelledError) for each in said)


def test_a_limit_that_what_it_waits_for_swallows_is_raised_all_the_same():
    async def stay():
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async def wait_for_it():
        await asyncio.create_task(stay())
        return "in time"

    with pytest.raises(SoftTimeLimitExceeded):
        call(wait_for_it, [], limit=0.05)


def test_a_generator_that_is_left_early_is_closed_at_once():
    said = []

    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0.01)
            said.append("closed")

    async def take_one():
        async for _ in numbers():
            return

    call(take_one, [], limit=None)
    assert said == ["closed"]


def test_a_loop_that_somebody_closed_is_made_anew():
    call(loop_of, [], limit=None).close()
    assert call(think, [0.0], limit=None) == "thought"


def test_its_loop_is_not_the_current_one_of_the_thread():
    def current_loop():
        own = call(loop_of, [], limit=None)
        with pytest.raises(RuntimeError, match="no current event loop"):
            asyncio.get_event_loop_policy().get_event_loop()
        return own

    assert in_thread(current_loop)


def test_it_is_tidied_up_before_and_after_it_in_its_loop(monkeypatch):
    said = []
    monkeypatch.setattr(coroutines, "_tidied_by", [])

    async def tidy_up():
        said.append("tidied")
        raise OSError("which stops nothing")

    async def speak():
        said.append("spoke")

    coroutines.around_each_coroutine(tidy_up)
    call(speak, [], limit=None)
    assert said == ["tidied", "spoke", "tidied"]


def test_a_cancellation_of_its_own_is_no_time_limit():
    async def cancel():
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError) as raised:
        call(cancel, [], limit=DEADLINE)
    assert not isinstance(raised.value, SoftTimeLimitExceeded)


@pytest.fixture
def pool_process():
    """Have the signal's handler of a process of a prefork pool."""
    before = signal.signal(SIG_SOFT_TIMEOUT, soft_timeout_sighandler)
    yield
    signal.signal(SIG_SOFT_TIMEOUT, before)


def test_celerys_signal_comes_to_where_it_waits_and_not_into_the_loop(pool_process):
    said = []

    async def wait():
        os.kill(os.getpid(), SIG_SOFT_TIMEOUT)
        await wait_for_ever(said)

    with pytest.raises(SoftTimeLimitExceeded):
        call(wait, [], limit=None)
    assert isinstance(said[0], SoftTimeLimitExceeded)
    assert signal.getsignal(SIG_SOFT_TIMEOUT) is soft_timeout_sighandler


def test_a_signal_in_a_callback_of_the_loop_is_not_lost(pool_process):
    said = []

    async def wait():
        loop = asyncio.get_running_loop()
        loop.call_soon(os.kill, os.getpid(), SIG_SOFT_TIMEOUT)
        await wait_for_ever(said)

    with pytest.raises(SoftTimeLimitExceeded):
        call(wait, [], limit=DEADLINE)


def test_the_end_of_the_process_is_raised_where_it_waits():
    said = []

    class Ends(SystemExit):
        pass

    def end(*_):
        raise Ends

    async def wait():
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGUSR2)
        await wait_for_ever(said)

    before = signal.signal(signal.SIGUSR2, end)
    try:
        with pytest.raises(Ends):
            call(wait, [], limit=None)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert [type(each) for each in said] == [Ends]
    assert call(think, [0.0], limit=None) == "thought"  # the loop is as good as before


def test_inside_of_a_running_loop_it_runs_in_a_thread_that_is_kept():
    async def nest():
        inner = call(loop_of, [], limit=None)
        return inner, call(loop_of, [], limit=None), asyncio.get_running_loop()

    first, second, outer = asyncio.run(nest())
    assert first is second
    assert first is not outer


def test_it_nests():
    async def nest(depth):
        return 1 + call(nest, [depth - 1], limit=None) if depth else 0

    assert call(nest, [3], limit=None) == 3


def test_a_forked_child_makes_a_loop_of_its_own_and_leaves_its_parents_alone():
    mine = call(loop_of, [], limit=None)
    pid = os.fork()
    if not pid:
        os._exit(
            0 if call(loop_of, [], limit=None) is not mine and call(think, [0.0], limit=None) else 1
        )
    assert os.waitpid(pid, 0)[1] == 0

    async def is_woken():  # by a thread, over what a fork shares
        loop, heard = asyncio.get_running_loop(), threading.Event()

        def wake():
            time.sleep(0.1)  # so that the loop waits for events
            loop.call_soon_threadsafe(heard.set)
            return heard.wait(5.0)

        return await asyncio.wait_for(asyncio.to_thread(wake), 10.0)

    assert call(is_woken, [], limit=None)


def test_greenlets_are_told_by_kombu(monkeypatch):
    monkeypatch.setattr(greenlets, "detect_environment", lambda: "gevent")
    assert greenlets.greenlets_of_process() == "gevent"
    monkeypatch.undo()
    assert greenlets.greenlets_of_process() is None


def test_the_error_of_a_time_limit_tells_where_the_coroutine_waited():
    with pytest.raises(SoftTimeLimitExceeded) as caught:
        call(wait_for_ever, [[]], limit=0.01)
    frame = frame_of(as_told(caught.value, limit=0.01, took=0.01))
    assert frame.startswith("tests/unit/activities/test_coroutines.py:")
    assert frame.endswith(" wait_for_ever")
