"""The bulk runs of this process."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from celery import Celery

from amends.backend.celery_apps import current
from amends.operations import BulkRun, Operation, Progress, Result, Source, Verdict

AT_ONCE: Final = 2
"""Runs that go on at once: more would not be done sooner."""
_KEPT: Final = 50
_MOST_RESULTS: Final = 200

_logger = logging.getLogger(__name__)


class TooManyRuns(Exception):  # noqa: N818 - it never leaves the console
    """Raised where as many runs go on as may."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is to do.

    source: makes where its sagas come from, from a place on.
    most: sagas at most; None for all.
    matched: how many it was for when it was confirmed; None if there are more than were counted.
    filter: what selects the sagas, by name; empty for those that were chosen one by one.
    """

    operation: Operation
    source: Callable[[str | None], Source]
    most: int | None
    matched: int | None
    filter: Mapping[str, str]
    rate: float | None = None


@dataclass(kw_only=True)
class Run:
    """A run, as far as it is; read by pages while its thread writes."""

    plan: Plan
    number: str
    began: float = field(default_factory=time.time)
    counts: dict[Verdict, int] = field(default_factory=dict)
    undone: list[Result] = field(default_factory=list)  #: The first that were not done.
    after: str | None = None
    reason: str | None = None  #: Why it ended early.
    is_running: bool = True
    is_finished: bool = False
    is_stopped: bool = False
    stop: Callable[[], None] = lambda: None

    @property
    def tried(self) -> int:
        """How many sagas it has come to."""
        return sum(self.counts.values()) - self.counts.get(Verdict.NOT_TRIED, 0)

    @property
    def can_go_on(self) -> bool:
        """Whether it ended before its last saga."""
        return not self.is_running and not self.is_finished

    def count(self, verdict: str) -> int:
        """Return how many results are of a verdict."""
        return self.counts.get(Verdict(verdict), 0)


class BulkRuns:
    """The runs of this process by their numbers, which are the ids of their acts; the last fifty are kept."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, number: str) -> Run | None:
        """Return a run by its number."""
        return self._runs.get(number)

    @property
    def all(self) -> Sequence[Run]:
        """All that are kept, the last first."""
        return [*reversed([*self._runs.values()])]

    def begin(self, plan: Plan) -> Run:
        """Begin a run; the same act again is the run that it is. Raises `TooManyRuns`."""
        number = plan.operation.act_id
        with self._lock:
            if number in self._runs:
                return self._runs[number]
            self._check_room()
            run = self._runs[number] = Run(plan=plan, number=number)
            while len(self._runs) > _KEPT:
                self._runs.popitem(last=False)
        self._start(run)
        return run

    def go_on(self, run: Run) -> None:
        """Go on with a run that ended before its last saga. Raises `TooManyRuns`."""
        with self._lock:
            if not run.can_go_on:
                return
            self._check_room()
            run.is_running, run.is_stopped, run.reason = True, False, None
        self._start(run)

    def _check_room(self) -> None:
        if sum(each.is_running for each in self._runs.values()) >= AT_ONCE:
            raise TooManyRuns

    def _start(self, run: Run) -> None:
        threading.Thread(
            target=self._carry_out, args=(run,), name="amends-bulk", daemon=True
        ).start()

    def _carry_out(self, run: Run) -> None:
        before, plan = dict(run.counts), run.plan
        try:
            with current(self._app):
                bulk = BulkRun(
                    operation=plan.operation,
                    source=plan.source(run.after),
                    most=plan.most,
                    rate=plan.rate,
                    matched=plan.matched,
                    app=self._app,
                )
                run.stop = bulk.stop
                for progress in bulk:
                    _note(run, progress, before)
                run.is_stopped = bulk.is_stopped
        except Exception as error:  # its page says so, and it can go on
            _logger.exception("bulk run %s ended early", run.number)
            run.reason = f"{type(error).__name__}: {error}"
        finally:
            run.is_running = False


def _note(run: Run, progress: Progress, before: Mapping[Verdict, int]) -> None:
    run.counts = {
        each: before.get(each, 0) + progress.counts.get(each, 0)
        for each in {*before, *progress.counts}
    }
    room = _MOST_RESULTS - len(run.undone)
    run.undone += [each for each in progress.results if each.verdict is not Verdict.DONE][:room]
    run.after, run.reason, run.is_finished = progress.after, progress.reason, progress.is_finished
