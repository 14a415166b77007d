"""The options of a circuit breaker. They travel with its calls: none is stored."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, fields
from math import inf, isfinite
from typing import Any, Literal, get_args

from amends.breaker.scope import Scope
from amends.breaker.states import Outcome
from amends.errors import DefinitionError

OnBackendError = Literal["local", "allow", "reject"]
ErrorClasses = tuple[type[BaseException], ...]

_MOST_FAILURES = 1000  # the time of each failure in a row is kept


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a circuit breaker counts, opens and closes, as `amends.CircuitBreaker` tells."""

    failure_on: ErrorClasses
    success_on: ErrorClasses
    failure_threshold: int
    reset_timeout: float
    half_open_max_calls: int
    success_threshold: int
    reset_timeout_multiplier: float
    max_reset_timeout: float
    reset_jitter: float
    failure_window: float | None
    probe_lease: float
    on_backend_error: OnBackendError
    scope: Scope = "shared"

    def check(self, name: str) -> None:
        """Raise `DefinitionError` for a value that makes no sense."""
        for option, holds, wanted in self._checks():
            if not holds:
                raise DefinitionError(
                    f"circuit breaker {name!r}: {option} is {getattr(self, option)!r}, not {wanted}"
                )

    def _checks(self) -> Iterator[tuple[str, bool, str]]:
        """Give each option, whether it holds, and what would; each may count on those before it."""
        count, seconds = "a whole number above 0", "seconds above 0"
        failing, living, window = self.failure_on, self.success_on, self.failure_window
        yield "failure_on", _are_errors(failing) and bool(failing), "a tuple of exception classes"
        lives = _are_errors(living) and not set(living) & set(failing)
        yield "success_on", lives, "a tuple of exception classes, none of them in failure_on"
        few = _is_count(self.failure_threshold, _MOST_FAILURES)
        yield "failure_threshold", few, f"a whole number from 1 to {_MOST_FAILURES}"
        yield "reset_timeout", _is_seconds(self.reset_timeout), seconds
        yield "half_open_max_calls", _is_count(self.half_open_max_calls), count
        yield "success_threshold", _is_count(self.success_threshold), count
        yield "reset_timeout_multiplier", _is_number(self.reset_timeout_multiplier, 1), "1 or more"
        longest = _is_number(self.max_reset_timeout, self.reset_timeout)
        yield "max_reset_timeout", longest, f"{self.reset_timeout} s (reset_timeout) or more"
        yield "reset_jitter", _is_number(self.reset_jitter, 0, 1), "from 0 to 1"
        yield "failure_window", window is None or _is_seconds(window), f"None or {seconds}"
        yield "probe_lease", _is_seconds(self.probe_lease), seconds
        known = self.on_backend_error in get_args(OnBackendError)
        yield "on_backend_error", known, "'local', 'allow' or 'reject'"
        yield "scope", self.scope in get_args(Scope), "'shared' or 'worker'"

    def differences(self, other: "Options") -> list[str]:
        """Say where an earlier configuration differs: ``failure_threshold is 5 here and 3 there``."""
        pairs = [
            (field.name, getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)
        ]
        return [
            f"{name} is {mine!r} here and {theirs!r} there"
            for name, mine, theirs in pairs
            if mine != theirs
        ]

    def outcome_of(self, error: BaseException) -> Outcome:
        """Tell what an error says about the service; the class nearest to its own decides."""
        for cls in type(error).__mro__:
            if cls in self.failure_on:
                return Outcome.FAILURE
            if cls in self.success_on:
                return Outcome.SUCCESS
        return Outcome.NEUTRAL

    def granted(self, asked: float | None) -> float | None:
        """Return how long a service that asked for so many seconds is left alone; None if it did not ask."""
        return None if asked is None else min(asked, self.max_reset_timeout)

    def jitter(self) -> float:
        """Draw the factor that a wait is made longer by; never shorter, which a service may have asked for."""
        return 1 + self.reset_jitter * random.random()  # noqa: S311 - jitter


def _are_errors(classes: object) -> bool:
    return isinstance(classes, tuple) and all(
        isinstance(each, type) and issubclass(each, BaseException) for each in classes
    )


def _is_count(value: Any, most: float = inf) -> bool:
    return isinstance(value, int) and _is_number(value, 1, most)


def _is_seconds(value: Any) -> bool:
    return _is_number(value) and value != 0


def _is_number(value: Any, least: float = 0, most: float = inf) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return isfinite(value) and least <= value <= most
