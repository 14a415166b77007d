"""How many answers of Redis a guarded call waits for, which is not how many commands it sends."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks.breaker_away import Call, seconds_of
from demo.ports import LOOPBACK

DELAY: Final = 0.05
"""Seconds that each answer takes longer."""


def answers_waited_for(url: str, way_at: Callable[[str], Call]) -> str:
    """Count them by the time that a call takes where each is late."""
    with _late_answers(int(url.rpartition(":")[2])) as late_url:
        way = way_at(late_url)
        way(lambda: None)
        time.sleep(3 * DELAY)  # what nobody waited for has arrived, as after a real call
        return str(round(seconds_of(way, lambda: None) / DELAY))


@contextmanager
def _late_answers(port: int) -> Iterator[str]:
    """Listen for clients of the Redis at a port, and give the URL."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        _in_thread(lambda: _serve(listener, port))
        yield f"redis://{LOOPBACK}:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, port: int) -> None:
    while True:
        try:
            client = listener.accept()[0]
        except OSError:  # it was shut
            return
        _link(client, socket.create_connection((LOOPBACK, port)))


def _link(client: socket.socket, server: socket.socket) -> None:
    _in_thread(lambda: _pass_on(client, server, 0))
    _in_thread(lambda: _pass_on(server, client, DELAY))


def _pass_on(source: socket.socket, target: socket.socket, delay: float) -> None:
    while data := source.recv(2**16):
        time.sleep(delay)
        target.sendall(data)


def _in_thread(act: Callable[[], None]) -> None:
    threading.Thread(target=act, daemon=True).start()
