"""How far queues have been consumed, as the log knows it from claims."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from amends.backend.script_constants import LOST_AFTER
from amends.log.store import Store

_PROBE_KEPT: Final = 7 * 86_400.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The watermarks of some queues at one moment; times are seconds since 1970 by the log's clock.

    A queue's watermark is the newest publish time among those of its messages that were claimed.
    """

    at: float
    watermarks: Mapping[str, float]  #: 0 for a queue that has none.


def watermark_name(queue: str, app: str) -> str:
    """Name a queue's watermark: apps that share a log may have queues of one name in brokers of their own."""
    return f"{queue}@{app}" if app else queue


class Watermarks:
    """The watermarks of queues, and their probes. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read_watermarks(self, queues: Collection[str]) -> Reading:
        """Return the watermarks of these queues, one or more."""
        keys = map(self._store.watermarks_key, range(self._store.shards))
        answers = self._store.call_many("read_watermarks", [([key], list(queues)) for key in keys])
        times, *found = zip(*answers, strict=True)
        newest = [max(float(score or 0) for score in scores) for scores in found]
        return Reading(
            at=max(times) / 1000,
            watermarks={queue: ms / 1000 for queue, ms in zip(queues, newest, strict=True)},
        )

    def permit_probe(self, queue: str, *, watermark: float) -> bool:
        """Return whether a copy of one message may be sent to a queue, to learn which of its messages are lost.

        queue: its name.
        watermark: of the queue.
        """
        times = [watermark, LOST_AFTER, _PROBE_KEPT]
        call = [self._store.probe_key(queue)], [round(each * 1000) for each in times]
        return bool(self._store.call_many("permit_probe", [call])[0])
