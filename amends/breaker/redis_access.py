"""Access to Redis for breakers: one short attempt, then a backoff after an error."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, TypeVar

from redis.exceptions import NoScriptError

from amends.backend.client import Client, impatient_client_of
from amends.backend.redis_errors import ERRORS, explained, is_demoted
from amends.backend.scripts import DIGESTS, SCRIPTS
from amends.breaker.cluster_connections import connections_of

T = TypeVar("T")

_FIRST_REST: Final = 1.0
_LONGEST_REST: Final = 30.0

_logger = logging.getLogger(__name__)


class Away(Exception):  # noqa: N818 - it never leaves this package
    """Redis is away, by its last `error`, and is asked again in `retry_after` seconds."""

    def __init__(self, error: Exception, retry_after: float) -> None:
        super().__init__(str(error), retry_after)
        self.error = error
        self.retry_after = retry_after


class RedisAccess:
    """The way of this process to Redis, for all of its breakers.

    After an error Redis is left alone for 1, 2, 4 ... 30 s; then one caller tries, and the others go on
    without. Whatever Redis answers but a result is an error: a guarded call must not suffer from it.
    """

    def __init__(
        self,
        client: Client,
        *,
        clock: Callable[[], float] = time.monotonic,
        fast_path: bool = True,
    ) -> None:
        self._client: Any = client  # redis-py leaves open whether replies are str
        self._connections = connections_of(client, fast_path=fast_path)
        self._clock = clock
        self._lock = threading.Lock()
        self._errors = 0
        self._rests_until = 0.0
        self._error = Exception()

    def ask(self, command: Callable[[Any], T]) -> T:
        """Return what `command` gets from the client, after all that was reported. Raises `Away`."""

        def ask(client: Any) -> T:
            self._connections.settle()
            return command(client)

        return self._try(ask)

    def _try(self, command: Callable[[Any], T]) -> T:
        errors = self._errors
        if errors:
            self._take_turn()
        try:
            answer = self._attempt(command)
        except (*ERRORS, OSError) as error:
            raise self._left_alone(errors, error) from error
        if errors:
            self._errors = 0
            _logger.info("Redis answers circuit breakers again")
        return answer

    def send(self, *commands: tuple[str, ...]) -> list[Any]:
        """Send plain commands in one go, and return what Redis answers to each, as it is.

        They may be sent twice, where a connection turns out to be closed. Raises `Away`.
        """
        return self._try(lambda _client: self._connections.exchange(commands))

    def report(self, *command: str) -> None:
        """Send a plain command and do not wait for the answer: whatever comes next from this process does.

        It may be sent twice, where a connection turns out to be closed. Raises `Away`.
        """
        if self._errors:  # only an answer tells that Redis is back
            self.send(command)
        else:
            self._try(lambda _client: self._connections.report(command))

    def call(self, name: str, keys: Sequence[str], *arguments: Any) -> list[str]:
        """Run a script. Raises `Away`."""

        def run(client: Any) -> Any:
            try:
                return client.evalsha(DIGESTS[name], len(keys), *keys, *arguments)
            except NoScriptError:  # the first time, or Redis was restarted
                return client.eval(SCRIPTS[name], len(keys), *keys, *arguments)

        answer: list[str] = self.ask(run)
        return answer

    def _attempt(self, command: Callable[[Any], T]) -> T:
        return command(self._client)

    def _take_turn(self) -> None:
        """Let one caller try when the rest is over, and send the others on."""
        now = self._clock()
        with self._lock:  # held for these connections, never for an answer
            if now < self._rests_until:
                raise Away(self._error, self._rests_until - now)
            self._rests_until = now + _rest_after(self._errors)

    def _left_alone(self, errors: int, error: Exception) -> Away:
        if is_demoted(error):
            self._connections.connect_anew()
        with self._lock:
            if self._errors == errors:  # else another caller of the same moment has said so
                self._errors = errors + 1
                rest = _rest_after(errors)
                self._rests_until = self._clock() + rest
                self._error = error
                _logger.warning(
                    "%s; it is left alone for %g s", explained(error, "circuit breakers"), rest
                )
            return Away(self._error, max(0.0, self._rests_until - self._clock()))


def _rest_after(errors: int) -> float:
    return min(_FIRST_REST * 2.0 ** min(errors, 10), _LONGEST_REST)


def redis_access_of(backend: str, *, fast_path: bool = True) -> RedisAccess:
    """Return this process's way to the Redis at this URL; with `fast_path` past redis-py's layers."""
    return _access(backend, fast_path, os.getpid())


@cache
def _access(backend: str, fast_path: bool, pid: int) -> RedisAccess:  # noqa: ARG001, FBT001 - a forked child gets its own
    return RedisAccess(impatient_client_of(backend), fast_path=fast_path)
