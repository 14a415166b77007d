"""Ways to make a call: without a breaker, with ours, and with two other libraries."""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import pybreaker
import redis
from celery import Celery
from purgatory import SyncCircuitBreakerFactory
from purgatory.service._sync.unit_of_work import SyncRedisUnitOfWork

from amends import CircuitBreaker
from demo.ports import LOOPBACK

Call = Callable[[Callable[[], object]], object]
"""Makes a call, guarded or not."""
_DELAY: Final = 0.05
"""Seconds by which each answer of Redis is late."""


def _unguarded(_url: str) -> Call:
    return lambda call: call()


def _amends(url: str) -> Call:
    app = Celery("breaker", broker="memory://")
    app.conf.amends_backend = url
    app.set_default()
    return CircuitBreaker("service", failure_on=(OSError,)).call


def _pybreaker(url: str) -> Call:
    client = redis.Redis.from_url(url)
    storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, client)
    guarded: Call = pybreaker.CircuitBreaker(
        fail_max=3, reset_timeout=60, state_storage=storage
    ).call
    return guarded


def _purgatory(url: str) -> Call:
    unit = SyncRedisUnitOfWork(url)
    unit.contexts.redis = redis.Redis.from_url(url)  # 3.0.1 creates an asynchronous client here
    factory = SyncCircuitBreakerFactory(default_threshold=3, default_ttl=60, uow=unit)

    def guarded(call: Callable[[], object]) -> object:
        with factory.get_breaker("service"):
            return call()

    return guarded


WAYS: Final[Mapping[str, Callable[[str], Call]]] = {
    "no breaker": _unguarded,
    "amends": _amends,
    "pybreaker": _pybreaker,
    "purgatory": _purgatory,
}


def answers_waited_for(url: str, way_at: Callable[[str], Call]) -> str:
    """Count the answers of Redis that a call waits for, by the time it takes where each is late."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        _in_thread(_serve, listener, int(url.rpartition(":")[2]))
        way = way_at(f"redis://{LOOPBACK}:{listener.getsockname()[1]}")
        way(lambda: None)
        time.sleep(3 * _DELAY)  # for answers that nobody waited for, as after a real call
        began = time.perf_counter()
        way(lambda: None)
        waited = round((time.perf_counter() - began) / _DELAY)
        listener.shutdown(socket.SHUT_RDWR)
    return str(waited)


def _serve(listener: socket.socket, port: int) -> None:
    while True:
        try:
            client = listener.accept()[0]
        except OSError:  # it was shut
            return
        server = socket.create_connection((LOOPBACK, port))
        _in_thread(_pass_on, client, server, 0.0)
        _in_thread(_pass_on, server, client, _DELAY)


def _pass_on(source: socket.socket, target: socket.socket, delay: float) -> None:
    while data := source.recv(2**16):
        time.sleep(delay)
        target.sendall(data)


def _in_thread(act: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=act, args=arguments, daemon=True).start()
