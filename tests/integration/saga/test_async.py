"""Sagas from coroutines: what each method returns, what a cancelled one leaves, and that none keeps the loop."""

import asyncio
import gc
import threading
import uuid
import weakref

import pytest

import amends
from amends import LogUnavailable, SagaAlreadyStarted, Signalled, UnknownSaga
from amends.asynchronous import calls
from amends.backend import own_threads
from amends.saga import async_handle
from tests.support.blocking_calls import blocking_calls
from tests.support.eventually import eventually
from tests.support.sagas.awaited import Approval, Order, order_sagas, seen

pytestmark = pytest.mark.usefixtures("swept")
OF_POOL = ("amends-async", "amends-async-waits")


@pytest.fixture(params=["chain", "inline"])
def saga(request):
    return order_sagas[request.param]


@pytest.fixture
def order(saga_id):
    return Order(order_id=saga_id)


@pytest.fixture
def alerts(monkeypatch):
    """Give weak references to what waits are told by."""
    found, made = [], async_handle.Alert

    def make():
        alert = made()
        found.append(weakref.ref(alert))
        return alert

    monkeypatch.setattr(async_handle, "Alert", make)
    return found


async def approved(handle):
    """Bring an order to its wait, and past it."""
    await handle.wait_async(60, until="pack")
    return await handle.signal_async("approval", Approval(), by="ada")


def are_gone(references):
    gc.collect()
    return not any(each() for each in references)


def test_an_order_from_its_start_to_its_end(work, saga, order):
    async def main():
        handle = await saga.start_async(order, saga_id=order.order_id)
        early = await handle.wait_async(60, until="charge")
        said = await approved(handle)
        result = await handle.wait_async(60)
        again = await saga.get_async(handle.id)
        (found,) = await amends.find_async(saga=saga, order=order.order_id)
        plain = await amends.get_async(handle.id)
        return handle, early, said, result, again, found, plain

    handle, early, said, result, again, found, plain = asyncio.run(main())
    assert (early.receipt, early.outcome) == (f"paid {handle.id}", None)
    assert said in {Signalled.TAKEN, Signalled.KEPT}  # in time, or before the wait began
    assert (result.outcome, result.granted_by) == ("completed", "ada")
    assert {each.id for each in (handle, again, found, plain)} == {order.order_id}
    assert [each.wait(60) for each in (again, found)] == [result, result]
    assert plain.wait(60)["outcome"] == "completed"


def test_what_is_read_is_what_a_blocking_call_reads(work, saga, order):
    async def read(handle):
        return (
            await handle.status_async(),
            await handle.outcome_async(),
            await handle.snapshot_async(),
            await handle.history_async(),
        )

    handle = saga.start(order, saga_id=order.order_id)
    asyncio.run(approved(handle))
    handle.wait(60)
    expected = (handle.status, handle.outcome, handle.snapshot(), handle.history())
    assert asyncio.run(read(handle)) == expected


def test_acts_are_done_and_signed(work, saga, order):
    async def act(handle):
        await handle.wait_async(60, until="pack")
        await handle.pause_async(by="ada", why="audit")
        assert (await handle.snapshot_async()).paused
        await handle.resume_async(by="ada")
        with pytest.raises(amends.ActRefused):
            await handle.retry_async(by="ada", seen=0)
        await handle.skip_async("approval", output=Approval(granted_by="bob"), by="bob")
        return await handle.wait_async(60), await handle.cancel_async(by="ada")

    handle = saga.start(order, saga_id=order.order_id)
    result, was_cancelled = asyncio.run(act(handle))
    assert (result.granted_by, was_cancelled) == ("bob", False)
    acts = {event.name: event.details.get("by") for event in handle.history()}
    assert acts["saga.paused"] == acts["saga.resumed"] == "ada"


def test_a_cancel_undoes_what_an_async_activity_did(work, saga, order):
    async def cancel(handle):
        await handle.wait_async(60, until="pack")
        return await handle.cancel_async(by="ada", why="out of stock")

    handle = saga.start(order, saga_id=order.order_id)
    assert asyncio.run(cancel(handle))
    handle.wait(60)
    assert handle.status == "compensated"
    assert seen.contexts[handle.id][-1].undoes.idempotency_key == f"{handle.id}:charge"


def test_many_are_started_at_once(work, saga):
    orders = [Order(order_id=uuid.uuid4().hex) for _ in range(20)]

    async def start():
        given = iter(orders)
        ids = (each.order_id for each in orders)
        return await saga.start_many_async(given, saga_ids=ids)

    handles = asyncio.run(start())
    assert [each.id for each in handles] == [each.order_id for each in orders]


def test_errors_are_those_of_the_blocking_calls(work, saga, order):
    async def fail():
        await saga.start_async(order, saga_id=order.order_id)
        with pytest.raises(SagaAlreadyStarted):
            await saga.start_async(Order(order_id="other"), saga_id=order.order_id)
        with pytest.raises(ValueError, match="saga_id"):
            await saga.start_async(order, saga_id="no id")
        with pytest.raises(UnknownSaga):
            await amends.get_async("unheard-of")
        with pytest.raises(UnknownSaga):
            await amends.Handle("unheard-of", dict).wait_async(60)
        handle = amends.Handle(order.order_id, dict)
        with pytest.raises(ValueError, match=r"until='chrge' is no step .*did you mean 'charge'"):
            await handle.wait_async(60, until="chrge")
        with pytest.raises(ValueError, match="timeout='1' is not a time in seconds"):
            await handle.wait_async("1")
        with pytest.raises(TimeoutError, match=r"is (pending|running) after 0 s"):
            await handle.wait_async(0)
        await handle.cancel_async()

    asyncio.run(fail())


def test_a_saga_that_is_stuck_says_so(work, saga, order, log):
    async def wait(handle):
        await handle.wait_async(60, until="pack")
        with pytest.raises(amends.SagaStuck, match="parked here"):
            await asyncio.gather(handle.wait_async(60), park(handle))

    async def park(handle):
        await asyncio.to_thread(
            lambda: log.note_unregistered(handle.id, "ship", task="parked here", most=1)
        )

    handle = saga.start(order.model_copy(update={"manner": "quick"}), saga_id=order.order_id)
    asyncio.run(approve_when_paused(handle))
    asyncio.run(wait(handle))


async def approve_when_paused(handle):
    """Bring an order to its last step, and no further."""
    await handle.wait_async(60, until="pack")
    await handle.pause_async()
    await handle.skip_async("approval", output=Approval())


def test_no_blocking_call_is_made_in_the_loops_thread(work, saga, order):
    async def main():
        handle = await saga.start_async(order, saga_id=order.order_id)
        await handle.status_async()
        await approved(handle)
        await handle.wait_async(60)
        await handle.snapshot_async()
        await handle.history_async()
        await handle.cancel_async()
        await amends.find_async(order=order.order_id)

    with blocking_calls() as made:
        asyncio.run(main())
    assert made, "nothing is seen at all"
    assert threading.get_ident() not in made


def test_a_thousand_waits_hold_a_few_threads_and_one_subscription(work, saga, broker, redis_url):
    handles = saga.start_many([Order(order_id=uuid.uuid4().hex) for _ in range(50)])
    channels = lambda: set(broker.pubsub_channels("amends:waits:*"))  # noqa: E731
    most, of_earlier_tests = [], channels()  # an idle one stays for a while

    async def main():
        waits = [asyncio.create_task(each.wait_async(100)) for each in handles for _ in range(20)]
        while not channels():
            await asyncio.sleep(0.01)
        for each in handles:
            await each.wait_async(60, until="pack")
            await each.signal_async("approval", Approval())
            most.append([t.name for t in threading.enumerate() if t.name in OF_POOL])
        return await asyncio.gather(*waits)

    results = asyncio.run(main())
    assert len(results) == 1_000
    assert {each.outcome for each in results} == {"completed"}
    assert max(map(len, most)) <= 10
    assert len(channels() - of_earlier_tests) <= 1


def test_a_cancelled_wait_leaves_nothing_behind(work, saga, order, alerts):
    handle = saga.start(order, saga_id=order.order_id)

    async def main():
        await handle.wait_async(60, until="pack")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await handle.wait_async()
        await asyncio.to_thread(eventually, lambda: are_gone(alerts))  # while the loop goes on

    asyncio.run(main())
    assert handle.status == "running"


def test_a_loop_that_is_closed_in_the_middle_of_a_wait_leaks_nothing(work, saga, order, alerts):
    handle, loop = saga.start(order, saga_id=order.order_id), asyncio.new_event_loop()
    loop.run_until_complete(handle.wait_async(60, until="pack"))
    task = loop.create_task(handle.wait_async())
    loop.run_until_complete(asyncio.sleep(0.3))
    loop.close()
    kept = [weakref.ref(loop), *alerts]
    del loop, task
    eventually(lambda: are_gone(kept))
    asyncio.run(approved(handle))
    assert handle.wait(60).outcome == "completed"


def test_each_of_many_loops_works_and_leaves_nothing(work, saga, alerts):
    for _ in range(5):
        order = Order(order_id=uuid.uuid4().hex)

        async def main(order=order):
            handle = await saga.start_async(order, saga_id=order.order_id)
            await approved(handle)
            return await handle.wait_async(60)

        assert asyncio.run(main()).outcome == "completed"
    assert len([t.name for t in threading.enumerate() if t.name in OF_POOL]) <= 10
    eventually(lambda: are_gone(alerts))


def test_what_a_receiver_leaves_open_in_a_thread_is_closed_after_the_call(
    work, order, saga, monkeypatch
):
    closed = []
    monkeypatch.setattr(
        own_threads, "_closers", [lambda: closed.append(threading.current_thread().name)]
    )
    asyncio.run(saga.start_async(order, saga_id=order.order_id))
    eventually(lambda: any(each.startswith("amends-async") for each in closed))


def test_an_id_that_is_empty_is_none(work, saga, order):
    handle = saga.start(order, saga_id=order.order_id)

    async def main():
        with pytest.raises(ValueError, match="signal"):
            await handle.signal_async("approval", Approval(), id="")
        with pytest.raises(ValueError, match="act"):
            await handle.cancel_async(act_id="")

    asyncio.run(main())
    with pytest.raises(ValueError, match="act"):
        handle.skip("pack", act_id="", by="ada", why="to see")


def test_reads_and_waits_are_not_held_up_by_starts(work, saga, order, monkeypatch):
    taken, held = threading.Event(), threading.Event()
    few = calls.Threads("t-few", at_most=1, patience=0.05)
    monkeypatch.setattr(calls, "CALLS", few)
    handle = saga.start(order, saga_id=order.order_id)

    async def main():
        stuck = asyncio.create_task(few.run(lambda: (taken.set(), held.wait(60))))
        await asyncio.to_thread(taken.wait, 60)
        assert await handle.status_async() in ("pending", "running")
        assert await handle.wait_async(60, until="pack")
        held.set()
        await stuck

    asyncio.run(main())


def test_a_wait_whose_last_look_finds_no_thread_is_timed_out_and_the_log_is_not_away(
    work, saga, order, monkeypatch
):
    looks, handle = [], saga.start(order, saga_id=order.order_id)
    run_in = async_handle.run_in

    async def run_once(threads, call):
        looks.append(threads)
        if len(looks) > 1:
            await asyncio.sleep(60)
        return await run_in(threads, call)

    monkeypatch.setattr(async_handle, "run_in", run_once)
    with pytest.raises(TimeoutError, match=r"is \w+ after 0\.2 s"):
        asyncio.run(handle.wait_async(0.2))


def test_a_start_for_which_no_thread_is_free_was_certainly_not_made(work, saga, order, monkeypatch):
    taken, held = threading.Event(), threading.Event()
    few = calls.Threads("t-few", at_most=1, patience=0.05)
    monkeypatch.setattr(async_handle, "CALLS", few)
    monkeypatch.setattr("amends.saga.async_starts.CALLS", few)

    async def main():
        stuck = asyncio.create_task(few.run(lambda: (taken.set(), held.wait(60))))
        await asyncio.to_thread(taken.wait, 60)
        with pytest.raises(LogUnavailable, match="no thread was free") as of_start:
            await saga.start_async(order, saga_id=order.order_id)
        with pytest.raises(LogUnavailable, match="no thread was free") as of_act:
            await amends.Handle(order.order_id, dict).cancel_async(act_id="act-7")
        held.set()
        await stuck
        return of_start.value, of_act.value

    of_start, of_act = asyncio.run(main())
    assert (of_start.saga_id, of_start.refused) == (order.order_id, True)
    assert (of_act.act_id, of_act.refused) == ("act-7", True)
    with pytest.raises(UnknownSaga):
        amends.get(order.order_id)
