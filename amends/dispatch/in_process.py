"""Sagas that run to their end in one process, without messages, through the same log."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Any, Final

from celery import Celery

from amends.definition.paths import UNDO, VERIFY
from amends.definition.states import ENDED, SagaStatus
from amends.dispatch.children import tell_parent
from amends.dispatch.messages import send_advance
from amends.dispatch.remaining import dispatched
from amends.log.answers import AtRest, Next, Publish, RetryAfter, Stage
from amends.log.in_flight import Branches, Ended
from amends.log.queries.open_waits import open_waits
from amends.log.queries.stage_state import stage_at_hand
from amends.log.saga_log import log_of
from amends.log.saga_state import Standing

_AT_REST: Final = {*ENDED, SagaStatus.STUCK}
_TICK: Final = 0.001  # seconds: the log's times are whole ones of these
_ANY: Final = 10.0**9  # seconds: no wait is too long where nothing is published


def run_here(
    app: Celery, saga_id: str, *, sleep: Callable[[float], None] = time.sleep, **how: Any
) -> None:
    """Run a saga to its end in this process, or until it waits for a signal, without messages, through the same log.

    `sleep` waits for a retry, and for the end of a delay. `how` goes to each task's ``perform_here``. Raises Celery's
    ``NotRegistered`` for an activity that this process does not know.
    """
    InProcessRun(app, saga_id, sleep=sleep, **how).go_on()


class InProcessRun:
    """A saga that runs in this process, without messages; what `run_here` says holds for it.

    Of several branches each does a step in turn. It keeps the chains of those that wait for a retry: the log hands out each
    once, and a look at all branches for each of many items would cost as much as the square of their number.

    now: the clock by which `sleep` waits, in seconds.

    wakes_at: when a wait that has begun is over, the deadline of the saga that waits, or when a delayed start begins, by that
        clock; None where none comes. A saga that does nothing else but wait for signals, or to begin, is left until then.
    """

    def __init__(
        self,
        app: Celery,
        saga_id: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
        **how: Any,
    ) -> None:
        self._app = app
        self._saga_id = saga_id
        self._sleep = sleep
        self._now = now
        self._how = how
        self._chains: list[
            tuple[float, int, Publish]
        ] = []  # a heap: when it may run, its place, and itself
        self._places = count()
        self._must_look, self._was_acted_on = True, False
        self._is_at_rest = False  # as a step's end told, and nobody has acted on it since
        self.wakes_at: float | None = None
        self._is_delayed = False  # it goes on by itself at the end of a wait for a time

    def look_again(self) -> None:
        """Ask the log for all that remains before anything else is done: somebody has acted on the saga."""
        self._chains.clear()
        self._must_look = self._was_acted_on = True
        self._is_at_rest = False

    def go_on(self) -> None:
        """Run the saga to its end, or until it waits for a signal, or until `sleep` raises; another call goes on from there."""
        while self._has_more():
            at, _, chain = self._chains[0] if self._chains else (inf, 0, None)
            if self.wakes_at is not None and self.wakes_at < at:
                self._sleep_until(self.wakes_at)
                self._must_look = True
            elif chain:
                if at - self._now() < _TICK or not self._is_stale(chain):
                    self._sleep_until(at)
                    heappop(self._chains)
                    self._perform(chain)
                else:
                    heappop(self._chains)

    def _sleep_until(self, moment: float) -> None:
        if (wait := moment - self._now()) >= _TICK:
            self._sleep(wait)

    def _has_more(self) -> bool:
        if self._must_look or not self._chains:
            lost = self._branches_at_hand() if self._was_acted_on else ()
            self._must_look = self._was_acted_on = False
            answer = dispatched(self._app, self._saga_id, _ANY, lost)
            if isinstance(answer, Ended) and tell_parent(self._app, self._saga_id, answer):
                send_advance(self._app, answer.parent, 0)
            for each in answer.found if isinstance(answer, Branches) else [answer]:
                if isinstance(each, Publish):
                    self._add(each)
            self.wakes_at, self._is_delayed = None, False
            if not isinstance(answer, Publish) and not self._is_at_rest:
                self._note_waits(log_of(self._app).examine_saga(self._saga_id))
        return bool(self._chains) or self._is_delayed

    def _note_waits(self, standing: Standing) -> None:
        """Note when the saga wakes by itself; while it is paused, at its deadline alone."""
        waits, entry = open_waits(standing.entry), standing.entry
        is_paused = entry.paused_at is not None
        begins_at = entry.begins_at or 0.0
        is_held = entry.status is SagaStatus.PENDING and (is_paused or begins_at > standing.now)
        moments = [begins_at] if is_held else [each.ends_at for each in waits]
        times = [entry.deadline_at] if is_paused else [*moments, entry.deadline_at]
        found = [each for each in times if each is not None]
        if (waits or is_held) and found:
            self.wakes_at = self._now() + min(found) - standing.now
            self._is_delayed = not is_paused and any(each.wanted == 0 for each in waits)

    def _branches_at_hand(self) -> Sequence[str]:
        """Return the branches whose chains were dropped, as a dispatch takes them for lost."""
        stage = stage_at_hand(log_of(self._app).read_saga(self._saga_id))
        return [branch.field for branch in stage.branches] if stage else ()

    def _perform(self, chain: Publish) -> None:
        path, tries = chain.records[0]
        task: Any = self._app.tasks[chain.itinerary.records[path].call.task]
        ended = task.perform_here(self._saga_id, path, retries=tries, **self._how)
        match ended and ended.follows:  # of a branch: what remains of the line is asked for
            case AtRest() if not (self._was_acted_on or chain.itinerary.branch_of(path)):
                self._is_at_rest = True
            case Stage():  # in a branch a wait begins, while others go on
                self._must_look = True
            case Next() as following:
                self._add(following.of(chain.itinerary))
            case RetryAfter(tries=tries) if chain.itinerary.branch_of(path):
                self._add(replace(chain, records=[(path, tries)], wait=ended.wait))

    def _add(self, chain: Publish) -> None:
        heappush(self._chains, (self._now() + chain.wait, next(self._places), chain))

    def _is_stale(self, chain: Publish) -> bool:
        """Return whether the saga has turned, or come to rest, since a branch's chain began to wait."""
        path = chain.records[0][0]
        if not chain.itinerary.branch_of(path):
            return False
        status = log_of(self._app).read_status(self._saga_id)
        is_forward = status in (SagaStatus.PENDING, SagaStatus.RUNNING)
        return not is_forward and (status in _AT_REST or not path.endswith((UNDO, VERIFY)))
