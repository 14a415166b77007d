"""Times that differ a little, so that workers do not act at the same moment."""

import random


def jittered(seconds: float) -> float:
    """Return a time between half and one and a half of this one."""
    return seconds * random.uniform(0.5, 1.5)  # noqa: S311
