"""A circuit breaker as its table of states says, in plain Python: no Redis, no Lua, nothing of the engine."""

from dataclasses import dataclass, field
from typing import Any

MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Rules:
    """The options that the table knows; all times in microseconds."""

    failure_threshold: int
    reset_timeout: int
    multiplier: float
    max_reset_timeout: int
    half_open_max_calls: int
    success_threshold: int
    failure_window: int | None


@dataclass
class BreakerModel:
    """What the table says. `epoch` counts transitions; a permit is its epoch, and a probe's token."""

    rules: Rules
    now: int = 0
    state: str = "closed"
    override: str | None = None
    epoch: int = 0
    epoch_began: int = 0
    opens: int = 0
    until: int = 0
    successes: int = 0
    late: int = 0
    failures: list[int] = field(default_factory=list)
    probes: dict[str, int] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    def acquire(self, token: str, lease: int) -> tuple[Any, ...]:
        """Answer ("admitted", epoch, token or '') or ("rejected", state, microseconds)."""
        if self.override == "disabled":
            return ("admitted", None, "")
        if self.override == "forced_open":
            return ("rejected", "forced_open", None)
        if self.state == "closed":
            return ("admitted", self.epoch, "")
        if self.state == "open":
            if self.now < self.until:
                return ("rejected", "open", self.until - self.now)
            self._enter("half_open", "half_opened")
        live = self.live_probes()
        if token in live or len(live) < self.rules.half_open_max_calls:
            self.probes = {**live, token: self.now + lease}
            return ("admitted", self.epoch, token)
        return ("rejected", "half_open", min(live.values()) - self.now)

    def succeed(self, epoch: int, token: str) -> str | None:
        """Answer what became of it; None where nobody is told, since nothing is asked."""
        if not token:
            if self.state == "closed" and epoch == self.epoch:
                self.failures = []
            return None  # a closed success is one command, which cannot tell
        if not self._is_live(epoch, token):
            return self._drop()
        self.successes += 1
        del self.probes[token]
        if self.successes < self.rules.success_threshold:
            return "counted"
        self.opens = 0
        self._enter("closed", "closed")
        return "closed"

    def fail(self, epoch: int, token: str, retry_after: int | None) -> str:
        if not self._is_live(epoch, token):
            return self._drop()
        if self.state == "closed":
            window = self.rules.failure_window
            self.failures.append(self.now)
            if window is not None:
                self.failures = [at for at in self.failures if self.now - at <= window]
            if len(self.failures) < self.rules.failure_threshold:
                return "counted"
        self.opens += 1
        self.until = self.now + (self._d(self.opens) if retry_after is None else retry_after)
        self._enter("open", "opened")
        return "opened"

    def release(self, epoch: int, token: str) -> str:
        if not token:
            return "released"
        if not self._is_live(epoch, token):
            return self._drop()
        del self.probes[token]
        return "released"

    def kill(self, token: str, began: int) -> str:
        """Report a killed caller, of whom only the token and the age are known."""
        if self.override == "disabled":
            return "disabled"
        if token in self.probes or began >= self.epoch_began:
            return self.fail(self.epoch, token, None)
        return self._drop()

    def overrule(self, override: str | None) -> None:
        if override is None:
            if self.override is not None:
                self.events.append("cleared")
            self.override = None
            return
        self.override = override
        self._enter(self.state, override)

    def reset(self) -> None:
        self.override, self.opens = None, 0
        self._enter("closed", "reset")

    @property
    def is_healthy(self) -> bool:
        """Whether it costs no memory."""
        return self.epoch == 0 and not self.failures

    def _d(self, n: int) -> int:
        rules = self.rules
        return round(
            min(rules.reset_timeout * rules.multiplier ** (n - 1), rules.max_reset_timeout)
        )

    def _enter(self, state: str, event: str) -> None:
        self.state = state
        self.epoch += 1
        self.epoch_began = self.now
        self.failures, self.probes, self.successes = [], {}, 0
        self.events.append(event)

    def live_probes(self) -> dict[str, int]:
        return {token: end for token, end in self.probes.items() if end > self.now}

    def _is_live(self, epoch: int, token: str) -> bool:
        if epoch != self.epoch or self.state == "open":
            return False
        return self.state == "closed" or token in self.live_probes()

    def _drop(self) -> str:
        self.late += self.epoch > 0
        return "late"
