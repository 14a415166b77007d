"""The threads that make blocking calls for coroutines."""

import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import threading
import weakref

import pytest

from amends.asynchronous.threads import NoThread, Threads
from tests.support.eventually import eventually

DEADLINE = 60.0


@pytest.fixture
def held():
    """Give a lock that holds up whoever calls `hold`, until the test ends."""
    opened = threading.Event()
    yield opened
    opened.set()


def threads_named(name):
    return [each for each in threading.enumerate() if each.name == name]


async def begun(threads, call):
    """Begin a call, and return its task once a thread makes it."""
    is_made = threading.Event()

    def made():
        is_made.set()
        return call()

    task = asyncio.create_task(threads.run(made))
    while not is_made.is_set():
        await asyncio.sleep(0.001)
    return task


def test_a_call_is_made_in_another_thread_and_its_answer_returned():
    async def main():
        return await Threads("t-answer", at_most=1).run(threading.get_ident)

    assert asyncio.run(main()) != threading.get_ident()


def test_it_is_made_in_a_copy_of_the_callers_context():
    place = contextvars.ContextVar("place", default="nowhere")

    def look():
        found = place.get()
        place.set("elsewhere")
        return found

    async def main():
        place.set("here")
        return await Threads("t-context", at_most=1).run(look), place.get()

    assert asyncio.run(main()) == ("here", "here")


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), StopIteration(1)], ids=repr)
def test_its_error_is_raised(error):
    def fail():
        raise error

    async def main():
        try:
            await Threads("t-error", at_most=1).run(fail)
        except BaseException as raised:  # noqa: BLE001 - whatever it is
            return raised

    expected = RuntimeError if isinstance(error, StopIteration) else type(error)
    assert type(asyncio.run(main())) is expected


def test_there_are_never_more_threads_than_it_says(held):
    async def main():
        threads = Threads("t-bounded", at_most=3)
        calls = [asyncio.create_task(threads.run(held.wait)) for _ in range(50)]
        while len(threads_named("t-bounded")) < 3:
            await asyncio.sleep(0.001)
        most = len(threads_named("t-bounded"))
        held.set()
        await asyncio.gather(*calls)
        return max(most, len(threads_named("t-bounded")))

    assert asyncio.run(main()) == 3


def test_threads_without_a_call_end():
    async def main():
        threads = Threads("t-idle", at_most=2, idle=0.01)
        await threads.run(int)
        eventually(lambda: not threads_named("t-idle"))
        return await threads.run(int)  # and others begin

    assert asyncio.run(main()) == 0


def test_a_call_that_no_thread_makes_in_time_is_given_up_and_never_made(held):
    made = []

    async def main():
        threads = Threads("t-busy", at_most=1, patience=0.01)
        first = await begun(threads, held.wait)
        with pytest.raises(
            NoThread, match=r"no thread was free for 0\.01 s: all 1 wait for answers"
        ):
            await threads.run(lambda: made.append("second"))
        held.set()
        await first
        return await threads.run(lambda: "third")

    assert asyncio.run(main()) == "third"
    assert made == []


def test_a_cancelled_call_that_has_not_begun_is_never_made(held):
    made = []

    async def main():
        threads = Threads("t-cancelled", at_most=1)
        first = await begun(threads, held.wait)
        second = asyncio.create_task(threads.run(lambda: made.append("second")))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        held.set()
        await first
        await threads.run(int)

    asyncio.run(main())
    assert made == []


def test_a_cancelled_call_that_has_begun_goes_on_and_its_answer_is_dropped(held):
    made = []

    def work():
        held.wait(DEADLINE)
        made.append("all of it")

    async def main():
        threads = Threads("t-begun", at_most=1)
        task = await begun(threads, work)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        held.set()
        await threads.run(int)

    asyncio.run(main())
    assert made == ["all of it"]


def test_a_loop_that_is_closed_in_the_middle_of_a_call_leaves_nothing(held):
    threads, loop = Threads("t-closed", at_most=1), asyncio.new_event_loop()

    class Thing:
        def work(self):
            held.wait(DEADLINE)

    thing = Thing()
    task = loop.create_task(threads.run(thing.work))
    loop.run_until_complete(asyncio.sleep(0.01))
    kept = weakref.ref(thing), weakref.ref(loop)
    loop.close()
    del task, loop, thing
    held.set()
    assert asyncio.run(threads.run(lambda: "the next")) == "the next"
    gc.collect()
    assert [each() for each in kept] == [None, None]


def test_a_forked_child_has_threads_of_its_own(held):
    threads = Threads("t-forked", at_most=1)

    async def fork():
        await begun(threads, held.wait)
        return os.fork()

    loop = asyncio.new_event_loop()
    pid = loop.run_until_complete(fork())
    if not pid:
        os._exit(asyncio.run(asyncio.wait_for(threads.run(lambda: 7), DEADLINE)))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    held.set()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


PROGRAM = """
import asyncio, time
from amends.asynchronous.threads import Threads

async def main():
    task = asyncio.create_task(Threads("stuck", at_most=1).run(lambda: time.sleep(3600)))
    await asyncio.sleep(0.05)

asyncio.run(main())
print("the end")
"""


def test_the_interpreter_ends_without_those_that_are_stuck():
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=100
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("the end\n", "", 0)
