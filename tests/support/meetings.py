"""Two transactions of a receiver that meet at one idempotency key."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tests.support.eventually import eventually
from tests.support.receivers import Receiver, until_done


class RolledBackError(Exception):
    """The first transaction was rolled back."""


class Meeting:
    """One transaction is held open while another one comes to the same key and waits for it."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._is_in, self._may_end = threading.Event(), threading.Event()
        self._fails = False

    def hold(self) -> None:
        """Keep the transaction open until the other one waits."""
        self._is_in.set()
        assert self._may_end.wait(60)
        if self._fails:
            raise RolledBackError

    def of(
        self,
        first: Callable[..., Any],
        second: Callable[..., Any],
        key: str,
        *,
        fails: bool = False,
    ) -> tuple[Future[Any], Future[Any]]:
        """Run `first`, a method of the receiver, and `second` while that one's transaction is open; return what became of them.

        fails: the first one is rolled back.
        """
        self._fails = fails
        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(first, key, self.hold)
            assert self._is_in.wait(60)
            two = pool.submit(until_done, second, key)
            try:
                eventually(lambda: self._receiver.waits() or two.done())
                assert not two.done()
            finally:
                self._may_end.set()
        return one, two
