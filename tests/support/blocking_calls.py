"""The blocking calls of this process, with the thread that each was made in: those of sockets, and sleeps."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

CALLS = ("connect", "send", "sendall", "recv", "recv_into")


@contextmanager
def blocking_calls() -> Iterator[dict[int, list[str]]]:
    """Give the names of the calls that are made inside, by thread. One of a socket that does not block is none."""
    made: dict[int, list[str]] = {}

    def noted(name: str, call: Any) -> Any:
        def method(self: socket.socket, *args: Any) -> Any:
            if self.gettimeout() != 0:
                made.setdefault(threading.get_ident(), []).append(name)
            return call(self, *args)

        return method

    sleep = time.sleep

    def noted_sleep(seconds: float) -> None:
        made.setdefault(threading.get_ident(), []).append("sleep")
        sleep(seconds)

    patches = [
        patch.object(socket.socket, name, noted(name, getattr(socket.socket, name)))
        for name in CALLS
    ]
    patches.append(patch.object(time, "sleep", noted_sleep))
    for each in patches:
        each.start()
    try:
        yield made
    finally:
        for each in patches:
            each.stop()
