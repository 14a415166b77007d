"""A circuit in Redis, the same for all processes: one method for each transition, and the reads."""

import os
import socket
from typing import Any, Final

from amends.backend.cluster import ask_with_time
from amends.breaker.options import Options
from amends.breaker.redis_access import RedisAccess
from amends.breaker.results import MICROSECONDS, Admitted, Failure, Recorded, Rejected, new_token
from amends.breaker.states import CircuitState

_HEAD: Final = ("state", "epoch", "until", "override", "forced")
NEVER: Final = "0"  # the epoch of a breaker that was never anything but closed
_HOST: Final = socket.gethostname()


class RedisCircuit:
    """A circuit in Redis. Its methods raise `Away` when that cannot be reached."""

    def __init__(
        self, name: str, options: Options, access: RedisAccess, root: str = "amends:"
    ) -> None:
        self._options = options
        self._access = access
        tag = f"{root}breaker:{{{name}}}"
        self.keys = [tag, f"{tag}:probes", f"{tag}:events"]

    def acquire_permit(self, token: str | None, *, lease: float) -> Admitted | Rejected:
        """Ask for a permit. Should it be a probe's, `token` names it, and `lease` is how long it is held."""
        answer = self._read_answer()
        if answer is not None:
            return answer
        token = token or new_token()
        said, *rest = self._access.call(
            "acquire_permit",
            self.keys,
            *(token, _micros(lease), self._options.half_open_max_calls, _this_process()),
        )
        if said == "rejected":
            state, left = rest
            return Rejected(state=state, retry_after=int(left) / MICROSECONDS if left else None)
        if said == "disabled":
            return Admitted()
        return Admitted(epoch=rest[0], token=token if said == "probe" else "")

    def _read_answer(self) -> Admitted | Rejected | None:
        """Find the answer with plain commands, where a look is enough: seldom does anything have to move."""
        (seconds, micros), head = self._access.send(("TIME",), ("HMGET", self.keys[0], *_HEAD))
        state, epoch, until, override, forced = head
        if override == CircuitState.DISABLED:
            return Admitted()
        if override:
            return Rejected(state=override, retry_after=None)
        if state in (None, CircuitState.CLOSED):
            return Admitted(epoch=epoch or NEVER)
        left = int(until or 0) - int(seconds) * MICROSECONDS - int(micros)
        if state == CircuitState.OPEN and left > 0:
            met = CircuitState.FORCED_OPEN if forced == epoch else CircuitState.OPEN
            return Rejected(state=met, retry_after=left / MICROSECONDS)
        return None

    def count_refused(self, calls: int) -> None:
        """Count calls that this process let through nowhere. The answer is not waited for."""
        self._access.report("HINCRBY", self.keys[0], "refused", str(calls))

    def record_success(self, admitted: Admitted) -> Recorded:
        """Record that a permitted call succeeded. Of one in a closed circuit the answer is not waited for."""
        if admitted.token:
            return self.succeed_probe(admitted)
        # The field of an earlier epoch is gone: this command cannot come too late.
        self._access.report("HDEL", self.keys[0], f"f{admitted.epoch}")
        return Recorded(said="counted")

    def record_failure(
        self, admitted: Admitted, failure: Failure, *, began_ago: float = 0.0
    ) -> Recorded:
        """Record that a permitted call failed.

        An `admitted` without an epoch is a killed caller's: it counts where its token holds a slot, or
        where it began, `began_ago` seconds back, in the epoch that still is.
        """
        options = self._options
        window, asked = options.failure_window, options.granted(failure.retry_after)
        answer = self._access.call(
            "record_failure",
            self.keys,
            *(admitted.epoch, admitted.token, _micros(began_ago)),
            *(options.failure_threshold, "" if window is None else _micros(window)),
            *(_micros(options.reset_timeout), options.reset_timeout_multiplier),
            *(_micros(options.max_reset_timeout), options.jitter()),
            "" if asked is None else _micros(asked),
            *(_this_process(), failure.why),
        )
        return _recorded(answer)

    def succeed_probe(self, admitted: Admitted) -> Recorded:
        """Record that a probe succeeded."""
        enough = self._options.success_threshold
        permit = (admitted.epoch, admitted.token)
        return _recorded(
            self._access.call("succeed_probe", self.keys, *permit, enough, _this_process())
        )

    def release_permit(self, admitted: Admitted) -> Recorded:
        """Give a permit back whose call said nothing about the service."""
        return self.release_probe(admitted) if admitted.token else Recorded(said="released")

    def release_probe(self, admitted: Admitted) -> Recorded:
        """Give a probe's slot back."""
        permit = (admitted.epoch, admitted.token)
        return _recorded(self._access.call("release_probe", self.keys, *permit))

    # What a person does

    def override_breaker(
        self, override: CircuitState | None, *, by: str, why: str, duration: float | None = None
    ) -> bool:
        """Force it open, for so many seconds if they are given; disable it; or with None let its own state decide again.

        Returns False if it does so already.
        """
        wait = "" if duration is None else _micros(duration)
        answer = self._access.call("override_breaker", self.keys, override or "", by, why, wait)
        return answer[0] == "overridden"

    def reset_breaker(self, *, by: str, why: str) -> None:
        """Close it, and zero all."""
        self._access.call("reset_breaker", self.keys, by, why)

    # The reads

    def read(self) -> tuple[int, dict[str, str], dict[str, float]]:
        """Read the time in microseconds, the breaker's fields, and its probes with the ends of their leases."""

        def ask(pipeline: Any) -> None:
            pipeline.hgetall(self.keys[0]).zrange(self.keys[1], 0, -1, withscores=True)

        micros, (fields, probes) = self._access.ask(
            lambda client: ask_with_time(client, self.keys[0], ask, transaction=True)
        )
        return micros, fields, dict(probes)

    def read_events(self, limit: int) -> list[dict[str, str]]:
        """Read its newest transitions, in their order."""
        newest = self._access.ask(lambda client: client.xrevrange(self.keys[2], count=limit))
        return [fields for _, fields in reversed(newest)]


def _micros(seconds: float) -> int:
    return round(seconds * MICROSECONDS)


def _this_process() -> str:
    return f"{_HOST}:{os.getpid()}"


def _recorded(answer: list[str]) -> Recorded:
    said: Any = answer[0]
    return Recorded(said=said, open_for=int(answer[1]) / MICROSECONDS if said == "opened" else 0.0)
