"""Where the time of a saga went, as JSON: time spans are seconds, moments UTC as text."""

from collections.abc import Iterable, Sequence
from typing import Any

from amends.cli.formatting import moment
from amends.diagnosis.saga.times.segments import Cause, Segment, Share, Times


def times_json(times: Times) -> dict[str, Any]:
    """Give the times of a saga: its total by cause, and the segments of its time line."""
    return {
        "start": moment(times.start),
        "end": moment(times.end),
        "is_over": times.is_over,
        "total": round(times.total, 3),
        "explained": round(times.explained, 3),
        "is_folded": times.is_folded,
        "shares": [*map(_share_json, times.shares)],
        "path": [*map(_segment_json, times.path)],
        "segments": [*map(_segment_json, times.segments)],
    }


def record_times_json(shares: Sequence[Share]) -> dict[str, Any]:
    """Give the times of a record: those of its attempts, and those that it waited, by cause."""
    took = _sum(each for each in shares if each.cause is Cause.CALL)
    return {
        "took": took,
        "waited": round(_sum(shares) - took, 3),
        "shares": [*map(_share_json, shares)],
    }


def _sum(shares: Iterable[Share]) -> float:
    return round(sum(each.seconds for each in shares), 3)


def _share_json(share: Share) -> dict[str, Any]:
    return {"cause": share.cause, "name": share.name, "seconds": round(share.seconds, 3)}


def _segment_json(segment: Segment) -> dict[str, Any]:
    return {
        "cause": segment.cause,
        "name": segment.name,
        "record": segment.record,
        "attempt": segment.attempt,
        "start": moment(segment.start),
        "end": moment(segment.end),
        "seconds": round(segment.seconds, 3),
        "worker": segment.worker,
        "pid": segment.pid,
    }
