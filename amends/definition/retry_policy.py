"""How often and how soon an activity is tried again."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Final

from amends.errors import DefinitionError, NotDone

LONGEST_RETRY_AFTER: Final = 86400.0
"""Longest wait, in seconds, that an error's ``retry_after`` is granted if `RetryPolicy.max_interval` is shorter."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how soon a failed attempt is retried. The terms are those of Temporal's retry policies.

    max_attempts: attempts, not retries; None is no limit but the saga's timeout.
    initial_interval: seconds before the second attempt.
    max_interval: longest wait in seconds. The ``retry_after`` of a `NotDone` may be longer, up to a day.
    backoff_coefficient: the wait before attempt n + 1 is ``initial_interval * backoff_coefficient ** (n - 1)``.
    jitter: share by which a wait moves at random; 0 keeps it exact.
    non_retryable: error classes that end the attempts. They say nothing about the effect.

    Raises `DefinitionError` for invalid values.
    """

    max_attempts: int | None = 3
    initial_interval: float = 1.0
    max_interval: float = 60.0
    backoff_coefficient: float = 2.0
    jitter: float = 0.2
    non_retryable: tuple[type[Exception], ...] = ()

    def __post_init__(self) -> None:
        classes = self.non_retryable
        checks = {
            "max_attempts": (self.max_attempts is None or self.max_attempts >= 1, "1 or more"),
            "initial_interval": (self.initial_interval >= 0, "0 or more seconds"),
            "max_interval": (
                self.max_interval >= self.initial_interval,
                "initial_interval or more",
            ),
            "backoff_coefficient": (self.backoff_coefficient >= 1, "1 or more"),
            "jitter": (0 <= self.jitter < 1, "from 0 to below 1"),
            "non_retryable": (
                isinstance(classes, tuple) and all(_is_error(each) for each in classes),
                "a tuple of exception classes",
            ),
        }
        for name, (holds, wanted) in checks.items():
            if not holds:
                raise DefinitionError(
                    f"RetryPolicy: {name} is {getattr(self, name)!r}, not {wanted}"
                )

    def allows(self, error: BaseException, attempt: int) -> bool:
        """Tell whether attempt number `attempt`, which ended with this error, has a next one."""
        if isinstance(error, self.non_retryable):
            return False
        return self.max_attempts is None or attempt < self.max_attempts

    def wait(
        self, attempt: int, random_between: Callable[[float, float], float] = random.uniform
    ) -> float:
        """Seconds to wait after attempt number `attempt` (the first is 1)."""
        try:
            interval = self.initial_interval * self.backoff_coefficient ** (attempt - 1)
        except OverflowError:
            interval = self.max_interval if self.initial_interval else 0.0
        interval = min(interval, self.max_interval)
        return (
            interval * random_between(1 - self.jitter, 1 + self.jitter) if self.jitter else interval
        )

    def wait_after(self, error: BaseException, attempt: int) -> float:
        """Seconds to wait after attempt number `attempt` ended with this error: longer if the error asks for it.

        The error may pass on what a service sent, so it is granted a day at most, or `max_interval` if that is longer.
        """
        wait = self.wait(attempt)
        if not isinstance(error, NotDone):
            return wait
        return max(wait, min(retry_after_of(error), max(self.max_interval, LONGEST_RETRY_AFTER)))


def retry_after_of(error: BaseException) -> float:
    """Return the seconds that an error asks to be left alone, 0 if it does not say, or says no finite number above 0."""
    try:
        asked = getattr(error, "retry_after", None)
    except Exception:  # noqa: BLE001 - a property of somebody's class may raise anything
        return 0.0
    if not isinstance(asked, int | float):
        return 0.0
    try:
        return float(asked) if isfinite(asked) and asked > 0 else 0.0
    except OverflowError:  # an int that no float can hold
        return 0.0


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)
