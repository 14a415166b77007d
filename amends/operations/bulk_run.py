"""A bulk run: one operation on all sagas that a query finds, batch by batch, which can be stopped and gone on with."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from celery import Celery
from celery.app import app_or_default

from amends.errors import ConfigurationError, LogUnavailable
from amends.log.saga_log import log_of
from amends.operations.batches import perform_batch
from amends.operations.sources import Batch, Source
from amends.saga.bulk import Line, Operation, Result, Verdict
from amends.saga.bulk_entry import BulkEntry

BATCH: Final = 200
"""Sagas of a batch, by default: a run that is to stop does so after one."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a bulk run is."""

    counts: Mapping[Verdict, int]  #: Results so far, by verdict.
    results: Sequence[Result]  #: Of the last batch.
    #: Place to go on from: with it and the same `Operation` another run does the rest. None at the beginning of the listing.
    after: str | None
    is_finished: bool  #: Whether nothing is left that the query finds.
    reason: str | None = None  #: Why the log ended it early; None if it did not.

    @property
    def done(self) -> int:
        """How many sagas the act was done on."""
        return self.counts.get(Verdict.DONE, 0)

    @property
    def tried(self) -> int:
        """How many sagas it was tried on."""
        return sum(self.counts.values()) - self.counts.get(Verdict.NOT_TRIED, 0)


@dataclass(kw_only=True)
class BulkRun:
    """One operation on many sagas. Iterating over it does it, and yields its `Progress` after each batch.

    ::

        run = BulkRun(operation=operation, source=QuerySource("retry", replace(STUCK, cause="1f0c2a9b")))
        for progress in run:
            show(progress)

    operation: the act, who does it and why. It is done once on each saga, also where a second run with the same `act_id` comes
        to it again.
    source: which sagas: a `QuerySource`, or a `TargetSource` of named ones.
    rate: sagas a second at most; None for as fast as it goes.
    most: sagas at most; None for all.
    batch: sagas of a batch.
    matched: sagas that the source is for, as the list of acts tells; by default those that it has come to.
    app: by default the current one.

    It is one entry of the list of acts, `amends.log.queries.acts`; of one named saga the act itself is. A run ends early where the log does not answer: its last progress says why, in `reason`, and from where to go on. With the
    broker away it does not: a sweep publishes what was not. Raises ``ValueError`` for a place of another listing, and
    `ConfigurationError` without a log.
    """

    operation: Operation
    source: Source
    rate: float | None = None
    most: int | None = None
    batch: int = BATCH
    matched: int | None = None
    app: Celery = field(default_factory=app_or_default)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def stop(self) -> None:
        """Let the run end after the present batch. May be called from a signal handler, or another thread."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopped.is_set()

    def __iter__(self) -> Iterator[Progress]:
        log, counts = log_of(self.app), Counter[Verdict]()
        clock = _Clock(self.rate, self._stopped.wait)
        matched = self.matched or self.source.count or 0
        is_one = self.source.count == 1 and self.operation.act != "signal"
        entry = BulkEntry(self.app, self.operation.listed, matched, off=is_one)
        with Line(self.app) as line, entry:
            while not self._stopped.is_set():
                batch = self._next_batch(counts.total())
                targets = batch.targets
                results = perform_batch(log, self.operation, targets, line, is_listed=is_one)
                counts.update(each.verdict for each in results)
                progress = self._progress(counts, batch, results)
                entry.go_on_at(progress.after, matched=max(matched, counts.total()))
                entry.count(each.verdict for each in results)
                yield progress
                if progress.reason or progress.is_finished or counts.total() == self.most:
                    return
                clock.wait_for(len(results))

    def _next_batch(self, tried: int) -> Batch:
        size = self.batch if self.rate is None else max(1, min(self.batch, int(self.rate)))
        if self.most is not None:
            size = min(size, self.most - tried)
        try:
            return self.source.take(size)
        except (LogUnavailable, ConfigurationError) as error:
            return Batch(targets=(), before=self.source.after, after=None, reason=str(error))

    def _progress(
        self, counts: Mapping[Verdict, int], batch: Batch, results: Sequence[Result]
    ) -> Progress:
        failed = [each.reason for each in results if each.verdict is Verdict.UNAVAILABLE]
        reason = batch.reason or next(iter(failed), None)
        return Progress(
            counts=dict(counts),
            results=results,
            after=batch.before if reason else batch.after,
            is_finished=batch.is_last and not reason,
            reason=reason,
        )


class _Clock:
    """Keeps a run to its rate."""

    def __init__(self, rate: float | None, wait: Callable[[float], object]) -> None:
        self._rate = rate
        self._wait = wait
        self._due = time.monotonic()

    def wait_for(self, count: int) -> None:
        """Wait until so many more sagas are within the rate."""
        if self._rate is not None:
            self._due = max(self._due + count / self._rate, time.monotonic() - 1.0)
            self._wait(max(0.0, self._due - time.monotonic()))
