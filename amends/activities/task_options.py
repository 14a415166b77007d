"""The options of an activity: those of a Celery task, but for what the engine owns."""

import math
from collections.abc import Mapping
from typing import Any, Final

from celery import Task

from amends.definition.numbers import is_number
from amends.errors import DefinitionError, did_you_mean

_OWNED: Final = {
    "base": "the engine's own class",
    "bind": "the function takes its model alone; amends.context() tells the rest",
    "acks_late": "always on",
    "reject_on_worker_lost": "always on",
    "acks_on_failure_or_timeout": "always on",
    "ignore_result": "always on; the saga log keeps outputs",
    "autoretry_for": "retry=RetryPolicy(...) decides",
    "dont_autoretry_for": "retry=RetryPolicy(non_retryable=...) decides",
    "retry_backoff": "retry=RetryPolicy(...) decides",
    "retry_backoff_max": "retry=RetryPolicy(max_interval=...) decides",
    "retry_jitter": "retry=RetryPolicy(jitter=...) decides",
    "retry_kwargs": "retry=RetryPolicy(...) decides",
    "max_retries": "retry=RetryPolicy(max_attempts=...) decides",
    "default_retry_delay": "retry=RetryPolicy(...) decides",
    "soft_time_limit": "start_to_close_timeout= is the limit",
    "time_limit": "it is amends_hard_limit_after past start_to_close_timeout=",
    "pydantic": "always on; the function's annotations are the models",
    "on_failure": "Step(..., on_failure=) says what a failure means for its saga",
    "typing": "a message carries ids, not the function's arguments",
}

_PASSED: Final = [
    name
    for name, value in vars(Task).items()
    if not name.startswith("_")
    and not callable(value)
    and not isinstance(value, property | classmethod | staticmethod)
]
"""The options of a Celery task: its plain attributes, and not its hooks like ``on_failure``."""


def check_options(name: str, options: Mapping[str, Any], start_to_close_timeout: float) -> None:
    """Check the options of an activity that pass through to Celery, and its time limit. Raises `DefinitionError`."""
    for option in options.keys() & _OWNED:
        raise DefinitionError(f"{name}: {option}= is the engine's: {_OWNED[option]}")
    known = {
        "retry",
        "start_to_close_timeout",
        "queue",
        "priority",
        "name",
        "breaker",
        "on_circuit_open",
        *_PASSED,
    } - _OWNED.keys()
    for option in options.keys() - known:
        raise DefinitionError(
            f"{name}: {option}= is no option of an activity, nor of a Celery task{did_you_mean(option, known)}"
        )
    if not (is_number(start_to_close_timeout) and 0 < start_to_close_timeout < math.inf):
        raise DefinitionError(
            f"{name}: start_to_close_timeout is {start_to_close_timeout!r}, not a time in seconds"
        )
