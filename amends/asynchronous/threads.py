"""A bounded pool of daemon threads that make blocking calls for coroutines.

Python's own pools do not fit: the interpreter waits for their threads when it ends, ``asyncio.to_thread`` is one pool for
each loop, and neither gives up a call that waits for a thread.
"""

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

from amends.backend.own_threads import round_of_own_thread

Answer = TypeVar("Answer")


class NoThread(Exception):  # noqa: N818 - it tells what lacks
    """No thread became free in time. The call was not made."""


class Threads:
    """Threads that are started when they are needed, at most so many, and end when they have had nothing to do.

    name: of each thread.
    at_most: threads at a time.
    patience: seconds that a call waits for a thread.
    idle: seconds until a thread without a call ends.
    """

    def __init__(
        self, name: str, *, at_most: int, patience: float = 5.0, idle: float = 10.0
    ) -> None:
        self._name = name
        self._at_most = at_most
        self._patience = patience
        self._idle = idle
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        # Its lock is reentrant: the garbage collector may end a coroutine that waits, in a thread that has it.
        self._changed = threading.Condition()
        self._waiting: OrderedDict[_Call, None] = OrderedDict()
        self._threads = self._free = 0

    async def run(self, call: Callable[[], Answer]) -> Answer:
        """Make a call in a thread, in a copy of this task's context. The loop goes on meanwhile.

        Cancelled, it makes no call that has not begun; one that has goes on, and its answer is dropped.
        Raises what the call does, and `NoThread`.
        """
        made = _Call(call)
        loop = asyncio.get_running_loop()
        self._add(made)
        timer = loop.call_later(self._patience, self._give_up, made)
        try:
            answer: Answer = await made.answer
        finally:
            timer.cancel()
            self._withdraw(made)
        return answer

    def _add(self, call: "_Call") -> None:
        with self._changed:
            self._waiting[call] = None
            if len(self._waiting) > self._free and self._threads < self._at_most:
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter ends, or has no room for one
                    if not self._threads:
                        del self._waiting[call]
                        raise
                else:
                    self._threads += 1
            self._changed.notify()

    def _withdraw(self, call: "_Call") -> bool:
        """Return whether the call still waited for a thread; it waits no more."""
        with self._changed:
            return self._waiting.pop(call, self) is None

    def _give_up(self, call: "_Call") -> None:
        if self._withdraw(call):
            why = (
                f"no thread was free for {self._patience:g} s: all {self._at_most} wait for answers"
            )
            call.settle(None, NoThread(why))

    def _work(self) -> None:
        while (call := self._next()) is not None:
            with round_of_own_thread():
                call.make()
            del call  # with what it refers to, while this thread waits for another

    def _next(self) -> "_Call | None":
        with self._changed:
            self._free += 1
            try:
                while not self._waiting:
                    if not self._changed.wait(self._idle) and not self._waiting:
                        self._threads -= 1
                        return None
                return self._waiting.popitem(last=False)[0]
            finally:
                self._free -= 1


class _Call:
    """One call, with the future of the coroutine that waits for it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Any] = self._loop.create_future()
        self._call, self._context = call, copy_context()

    def make(self) -> None:
        """Make it, in a thread."""
        answer: Any = None
        error: BaseException | None = None
        try:
            answer = self._context.run(self._call)
        except StopIteration as stop:  # no future takes one, and no coroutine raises it
            error = RuntimeError(f"the call raised {stop!r}")
        except BaseException as raised:  # noqa: BLE001 - it is the coroutine's
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self.settle, answer, error)

    def settle(self, answer: Any, error: BaseException | None) -> None:
        """Tell the coroutine that waits, if any still does; in the loop's thread."""
        if self.answer.done():
            return
        if error is None:
            self.answer.set_result(answer)
        else:
            self.answer.set_exception(error)
