"""An event that threads set and a coroutine waits for."""

import asyncio
import threading

from amends.asynchronous.alert import Alert

DEADLINE = 60.0


def test_a_thread_sets_it_and_the_coroutine_goes_on():
    async def main():
        alert = Alert()
        threading.Timer(0.01, alert.set).start()
        return await alert.wait(DEADLINE)

    assert asyncio.run(main())


def test_it_is_waited_for_no_longer_than_is_said():
    async def main():
        return await Alert().wait(0.01)

    assert asyncio.run(main()) is False


def test_it_is_cleared():
    async def main():
        alert = Alert()
        alert.set()
        was_set = await alert.wait(DEADLINE)
        alert.clear()
        return was_set, await alert.wait(0.01)

    assert asyncio.run(main()) == (True, False)


def test_once_its_loop_is_closed_it_is_over_and_setting_it_does_nothing():
    async def main():
        alert = Alert()
        return alert, alert.is_over

    alert, was_over = asyncio.run(main())
    alert.set()
    assert (was_over, alert.is_over) == (False, True)
