"""The second call for an answer of the log that was lost."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from amends.errors import LogUnavailable

T = TypeVar("T")

_PAUSE: Final = 0.2  # seconds


def ask_again(
    call: Callable[[], T],
    first: LogUnavailable,
    saga_id: str | None = None,
    act_id: str | None = None,
) -> T:
    """Repeat a start or an act that was not answered, and return its answer.

    call: the same start, or the same act. The log's client gives a Redis that stands still about 3 s, so that both calls
        outlast one of 6 s.
    first: the error of the first call.
    saga_id, act_id: what a caller repeats it with, for the error.

    Raises `LogUnavailable`.
    """
    time.sleep(_PAUSE)
    try:
        return call()
    except LogUnavailable as error:
        refused = first.refused and error.refused
        raise LogUnavailable(error.reason, saga_id, act_id, refused=refused) from error
