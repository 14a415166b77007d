"""An event that threads set and a coroutine waits for."""

import asyncio
from contextlib import suppress


class Alert:
    """It is of the loop that runs where it is made."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether nobody can wait for it any more: its loop is closed."""
        return self._loop.is_closed()

    def set(self) -> None:
        """Set it, from any thread."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._event.set)

    def clear(self) -> None:
        """Clear it, from any thread. One that was set before may still seem set a moment later."""
        self._event.clear()

    async def wait(self, seconds: float) -> bool:
        """Wait until it is set, for so many seconds at most. Returns whether it is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        return self._event.is_set()
