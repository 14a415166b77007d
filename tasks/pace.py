"""How fast time runs for retries: 1.0 in earnest, less in tests and demonstrations."""

import os
from dataclasses import replace
from typing import Final

from amends import RetryPolicy

TIME_SCALE: Final = float(os.environ.get("AMENDS_TIME_SCALE", "1.0"))


def paced(policy: RetryPolicy) -> RetryPolicy:
    """Scale the waits between attempts; limits, deadlines and heartbeats stay as they are."""
    return replace(
        policy,
        initial_interval=policy.initial_interval * TIME_SCALE,
        max_interval=policy.max_interval * TIME_SCALE,
    )


def paced_wait(seconds: float) -> float:
    """Scale the time that a service which is down is left alone."""
    return seconds * TIME_SCALE


STEP: Final = paced(
    RetryPolicy(max_attempts=3, initial_interval=1.0, max_interval=10.0, backoff_coefficient=2.0)
)
"""Most steps: three attempts."""

COMPENSATION: Final = paced(
    RetryPolicy(max_attempts=20, initial_interval=1.0, max_interval=60.0, backoff_coefficient=2.0)
)
"""Every undo: it has to get there."""

ONWARD: Final = COMPENSATION
"""Every step past a point of no return: it has to get there, too."""
