"""The log's counters, as metrics."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from amends.backend.script_constants import ATTEMPT_BOUNDS, QUEUE_BOUNDS, SAGA_BOUNDS
from amends.definition.paths import FALLBACK, UNDO, VERIFY
from amends.definition.states import SagaStatus
from amends.telemetry.prometheus import catalogue
from amends.telemetry.prometheus.families import Families
from amends.telemetry.prometheus.metric import Metric

Counters = Mapping[tuple[str, ...], int]
"""What `SagaLog.read_counters` reads; ``lua/transition.lua`` has the words of its keys."""

_Meanings = Mapping[str, tuple[Metric, tuple[str, ...]]]
_Series = tuple[Metric, tuple[str, ...]]

_BOUNDS: Final = {catalogue.SAGA_DURATION: SAGA_BOUNDS, catalogue.QUEUE_TIME: QUEUE_BOUNDS}
"""Of histograms that are not of attempts."""
_UNKNOWN: Final = "unknown"
"""The cause of a way back that a release before causes were counted wrote: it counted the event alone."""
_CAUSES: Final = ("refused", "failed", "unanswered", "timed_out", "cancelled", "child", "parent")

_OF_SAGAS: Final[_Meanings] = {
    "saga.started": (catalogue.STARTED, ()),
    "saga.compensating": (catalogue.TURNED_BACK, (_UNKNOWN,)),
    "saga.stuck": (catalogue.STUCK, ()),
    "saga.cancelled": (catalogue.ACTS, ("cancel",)),
    "saga.retried": (catalogue.ACTS, ("retry",)),
    "saga.paused": (catalogue.ACTS, ("pause",)),
    "saga.resumed": (catalogue.ACTS, ("resume",)),
    "saga.overdue": (catalogue.OVERDUE, ()),
}
_OF_RECORDS: Final[_Meanings] = {
    "step.late": (catalogue.LATE_RESULTS, ()),
    "step.unregistered": (catalogue.UNREGISTERED, ()),
    "step.skipped": (catalogue.ACTS, ("skip",)),
    "saga.unparked": (catalogue.UNPARKED, ()),
}
_OF_STEPS: Final[_Meanings] = {
    **_OF_RECORDS,
    "step.completed": (catalogue.STEP_ATTEMPTS, ("done",)),
    "step.retrying": (catalogue.STEP_ATTEMPTS, ("retried",)),
    "step.failed": (catalogue.STEP_ATTEMPTS, ("failed",)),
    "step.switching": (catalogue.FALLBACKS, ()),
    "step.omitted": (catalogue.OMITTED, ()),
    "step.waiting": (catalogue.WAITS, ("begun",)),
    "step.waited": (catalogue.WAITS, ("ended",)),
    "step.signalled": (catalogue.SIGNALS, ()),
}
_OF_VERIFICATIONS: Final[_Meanings] = {**_OF_RECORDS, "step.verified": (catalogue.VERIFIED, ())}
_OF_UNDOS: Final[_Meanings] = {
    **_OF_RECORDS,
    "step.compensated": (catalogue.UNDO_ATTEMPTS, ("done",)),
    "step.retrying": (catalogue.UNDO_ATTEMPTS, ("retried",)),
    "step.stuck": (catalogue.UNDO_ATTEMPTS, ("stuck",)),
}


def add_counted(families: Families, counters: Counters) -> None:
    """Add every counter and histogram of the log."""
    totals: Counter[_Series] = Counter(dict.fromkeys(_expected(counters), 0))
    times: defaultdict[_Series, dict[str, int]] = defaultdict(dict)
    for words, value in counters.items():
        match words:
            case "event", name, saga, path if name in (meanings := _meanings(path)):
                totals[_series(meanings[name], saga, path)] += value
            case "sagas", *labels:
                totals[catalogue.SAGAS, tuple(labels)] += value
            case "turned", saga, cause:
                totals[catalogue.TURNED_BACK, (saga, cause)] += value
                totals[catalogue.TURNED_BACK, (saga, _UNKNOWN)] -= value
            case "ended", *labels:
                totals[catalogue.ENDED, tuple(labels)] += value
            case _ if series := _timed(words):
                times[series][words[-1]] = value
    for (metric, values), value in sorted(totals.items(), key=_by_labels):
        families.add(metric, value, *values)
    for (metric, values), counts in sorted(times.items(), key=_by_labels):
        families.add_times(metric, _BOUNDS.get(metric, ATTEMPT_BOUNDS), counts, *values)


def _timed(words: tuple[str, ...]) -> _Series | None:
    """Return the histogram that a counter is of, if it is of one; its last word is the bound."""
    match words:
        case "took", saga, _:
            return catalogue.SAGA_DURATION, (saga,)
        case "queued", *queue, _:
            return catalogue.QUEUE_TIME, ("|".join(queue),)
        case "ran", saga, path, _ if not path.endswith(VERIFY):
            metric = catalogue.UNDO_DURATION if path.endswith(UNDO) else catalogue.STEP_DURATION
            return _series((metric, ()), saga, path)
    return None


def _by_labels(item: tuple[_Series, object]) -> tuple[str, ...]:
    return item[0][1]


def _expected(counters: Counters) -> Iterator[_Series]:
    """List what can come of the sagas and records that are there: a rate needs the 0 before the first 1."""
    for saga, path in {(words[2], words[3]) for words in counters if words[0] == "event"}:
        for meaning in _meanings(path).values():
            yield _series(meaning, saga, path)
        for status in SagaStatus:
            yield catalogue.SAGAS, (saga, status)
        for cause in _CAUSES:
            yield catalogue.TURNED_BACK, (saga, cause)
        yield catalogue.ENDED, (saga, SagaStatus.COMPLETED, "completed")


def _meanings(path: str) -> _Meanings:
    if not path:
        return _OF_SAGAS
    if path.endswith(VERIFY):
        return _OF_VERIFICATIONS
    return _OF_UNDOS if path.endswith(UNDO) else _OF_STEPS


def _series(meaning: _Series, saga: str, path: str) -> _Series:
    metric, more = meaning
    record = path.removesuffix(UNDO).removesuffix(VERIFY)
    known = {
        "saga": saga,
        "step": record.removesuffix(FALLBACK),
        "channel": "fallback" if record.endswith(FALLBACK) else "primary",
    }
    return metric, (*(known[label] for label in metric.labels if label in known), *more)
