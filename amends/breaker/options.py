"""The options of a circuit breaker. They travel with its calls: none is stored."""

import random
from dataclasses import dataclass, fields
from math import inf
from typing import Literal

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

    def check(self, name: str) -> None:
        """Raise `DefinitionError` for a value that makes no sense."""
        window, both = self.failure_window, set(self.failure_on) & set(self.success_on)
        checks = {
            "failure_on": (
                _are_errors(self.failure_on, at_least=1),
                "a tuple of exception classes",
            ),
            "success_on": (
                _are_errors(self.success_on) and not both,
                "a tuple of exception classes, none of them in failure_on",
            ),
            "failure_threshold": (
                _is_count(self.failure_threshold, _MOST_FAILURES),
                f"a whole number from 1 to {_MOST_FAILURES}",
            ),
            "reset_timeout": (_is_seconds(self.reset_timeout), "seconds above 0"),
            "half_open_max_calls": (_is_count(self.half_open_max_calls), "a whole number above 0"),
            "success_threshold": (_is_count(self.success_threshold), "a whole number above 0"),
            "reset_timeout_multiplier": (1 <= self.reset_timeout_multiplier < inf, "1 or more"),
            "max_reset_timeout": (
                self.reset_timeout <= self.max_reset_timeout < inf,
                f"seconds, {self.reset_timeout:g} (reset_timeout) or more",
            ),
            "reset_jitter": (0 <= self.reset_jitter <= 1, "from 0 to 1"),
            "failure_window": (window is None or _is_seconds(window), "None or seconds above 0"),
            "probe_lease": (_is_seconds(self.probe_lease), "seconds above 0"),
            "on_backend_error": (
                self.on_backend_error in ("local", "allow", "reject"),
                "'local', 'allow' or 'reject'",
            ),
        }
        for option, (holds, wanted) in checks.items():
            if not holds:
                raise DefinitionError(
                    f"circuit breaker {name!r}: {option} is {getattr(self, option)!r}, not {wanted}"
                )

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

    def jitter(self) -> float:
        """Draw the factor that a wait is made longer by; never shorter, which a service may have asked for."""
        return 1 + self.reset_jitter * random.random()  # noqa: S311 - jitter


def _are_errors(classes: object, *, at_least: int = 0) -> bool:
    return (
        isinstance(classes, tuple)
        and len(classes) >= at_least
        and all(isinstance(each, type) and issubclass(each, BaseException) for each in classes)
    )


def _is_count(value: object, most: float = inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _is_seconds(value: float) -> bool:
    return 0 < value < inf
