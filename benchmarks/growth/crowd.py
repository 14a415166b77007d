"""Others in a log: many sagas of which none is measured, started and ended by the log's own scripts."""

from typing import Final

from amends.log.saga_log import SagaLog
from benchmarks.growth.saga import CROWD, ORDER_BYTES, load_of

LIVE: Final = "live"
ENDED: Final = "ended"
AT_ONCE: Final = 500
_ERROR: Final = '{"type":"Cancelled","message":"the customer changed her mind"}'
_INPUT: Final = load_of(0, ORDER_BYTES).model_dump_json()


def grow(log: SagaLog, kind: str, numbers: range) -> None:
    """Add the others of these numbers to a log.

    kind: `LIVE` ones wait for their first message, `ENDED` ones were cancelled before it came.
    """
    for first in range(numbers.start, numbers.stop, AT_ONCE):
        last = min(first + AT_ONCE, numbers.stop)
        ids = [f"other-{kind}-{n}" for n in range(first, last)]
        log.starts.start_sagas(CROWD.itinerary, [(each, _INPUT) for each in ids])
        if kind == ENDED:
            for each in ids:
                log.control.cancel_saga(each, error=_ERROR, actor={})
