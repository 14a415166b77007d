"""Read the runs of a saga's records from its history, in order of their ends."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from amends.definition.itinerary import Itinerary
from amends.definition.paths import UNDO, VERIFY, without_item
from amends.diagnosis.saga.times.moments import in_time
from amends.diagnosis.saga.times.run import Hold, Pauses, Run
from amends.diagnosis.saga.times.segments import Cause
from amends.log.history import Event

_CLAIMS: Final = frozenset({"step.started", "step.compensating", "step.verifying"})
_ENDS: Final = frozenset(
    {
        "step.completed",
        "step.compensated",
        "step.verified",
        "step.omitted",
        "step.waited",
        "step.failed",
        "step.stuck",
        "step.skipped",
    }
)
_PUT_OFF: Final = frozenset({"step.retrying", "step.unregistered"})
_MOVES: Final = _CLAIMS | _ENDS | _PUT_OFF | {"step.waiting"}
_UNSTUCK: Final = frozenset({"saga.retried", "saga.unparked", "saga.compensating", "step.skipped"})
_FOR_GOOD: Final = " failed for good"  # as ``lua/settle.lua`` writes it

QueueOf = Callable[[str], str | None]
"""Names the queue of a record's messages, by its path."""


class Reader:
    """Reads events one by one. What was read is in `runs`, and what has not ended in `open`."""

    def __init__(self, itinerary: Itinerary, queue_of: QueueOf, pauses: Pauses) -> None:
        self.runs: list[Run] = []
        self.open: dict[str | None, Run] = {}
        self._itinerary, self._queue_of, self._pauses = itinerary, queue_of, pauses
        self._stuck: dict[str, float] = {}  # records that failed for good, and since when
        self._ended: dict[str, Run] = {}  # the last run of each record
        self._folded_until: dict[str, float] = {}
        self._folding: set[str] = set()

    def read(self, history: Sequence[Event]) -> None:
        """Read a history."""
        events = in_time(history)
        for event in events:
            if event.record and event.count > 1 and event.name in _MOVES:
                until = max(event.at, self._folded_until.get(event.record, 0.0))
                self._folded_until[event.record] = until
        for event in events:
            record = event.record if event.name in _MOVES else None
            if record is not None and without_item(record) in self._itinerary.records:
                self._read_step(event, record)
            self._read_saga(event)

    def run_at(self, record: str | None, *, first: float, **how: Any) -> Run:
        """Begin a run of a record. `how` are further arguments of `Run`."""
        run = self.open[record] = self._run(record, first, **how)
        return run

    def _run(self, record: str | None, first: float, **how: Any) -> Run:
        queue = self._queue_of(record) if record else None
        return Run(record, queue, self._pauses, first=first, **how)

    def end(self, record: str | None, at: float, *, error: str | None = None) -> None:
        """End the run of a record; of one that has none, one is noted that took no time."""
        run = self.open.pop(record, None) or self._run(record, at)
        run.rest(at, error=error)
        self.runs.append(run)
        if record:
            self._ended[record] = run

    def mark(self, at: float) -> None:
        """Note a moment from which on something else may begin; a message was awaited until then."""
        self.runs.append(self._run(None, at, is_published=False))

    # Steps

    def _read_step(self, event: Event, record: str) -> None:
        if event.count == 0:
            self._folding.add(record)
        is_within = record in self._folding and event.at < self._folded_until[record]
        if event.count == 0 or is_within:
            self._fold(event, record)
        elif event.name in _CLAIMS and "attempt" in event.details:
            self._claim(event, record)
        elif event.name in _CLAIMS or event.name == "step.waiting":
            self._wait(event, record)
        elif event.name in _PUT_OFF:
            self._put_off(event, record)
        elif event.name in _ENDS:
            self._stuck.pop(record, None)
            self.end(record, event.at, error=_error_type(event))
            if event.name == "step.stuck":
                self._stuck[record] = event.at

    def _claim(self, event: Event, record: str) -> None:
        queued = event.details.get("queued")
        sent = None if queued is None else round(event.at - queued / 1000, 3)
        run = self.open.get(record)
        if run is None:
            first, before = event.at if sent is None else sent, self._hold_before(record)
            run = self.run_at(record, first=first, is_published=sent is not None, before=before)
        elif run.doing:  # whose end is not in the history
            run.rest(event.at)
        run.claim(event, sent=sent)

    def _hold_before(self, record: str) -> Hold | None:
        """Return what held the first attempt of a run; a record that a verification asks for waits no longer itself."""
        if not record.endswith(VERIFY):
            before = self._ended.get(record)
            return before.hold if before else None
        asked = record.removesuffix(VERIFY)
        if waiting := self.open.pop(asked, None):
            self.runs.append(waiting)
            self._ended[asked] = waiting
        if (since := self._ended.get(asked)) is None:
            return None
        settles = self._itinerary.records[record].step.settle
        return Hold(until=since.end + settles, cause=Cause.DELAY)

    def _wait(self, event: Event, record: str) -> None:
        run = self.run_at(record, first=event.at)
        step = self._itinerary.records[record].step
        if step.child:
            run.begin(Cause.CHILD, event.at, name=record.removesuffix(UNDO))
        elif step.wait and step.wait.count == 0:
            run.begin(Cause.DELAY, event.at)
        else:
            run.begin(Cause.SIGNAL, event.at, name=record)

    def _put_off(self, event: Event, record: str) -> None:
        run = self.open.get(record) or self.run_at(record, first=event.at, is_published=False)
        run.rest(event.at, error=_error_type(event))
        wait = float(event.details.get("wait") or 0.0)
        circuit = (event.details.get("error") or {}).get("circuit")
        cause = Cause.CIRCUIT if circuit else Cause.RETRY
        if event.name == "step.unregistered":
            cause = Cause.UNREGISTERED
        run.put_off(Hold(until=round(event.at + wait / 1000, 3), cause=cause, name=circuit))

    def _fold(self, event: Event, record: str) -> None:
        run = self.open.get(record) or self.run_at(record, first=event.at, is_published=False)
        if run.doing is None or run.doing.cause is not Cause.FOLDED:
            run.rest(event.at)
            run.begin(Cause.FOLDED, event.at)

    # The saga as a whole

    def _read_saga(self, event: Event) -> None:
        if event.name == "saga.retried":
            self._renew(event.at)
        if event.name in _UNSTUCK and None in self.open:
            self.end(None, event.at)
        if event.name == "saga.stuck":
            self._stand(event)
        elif event.name == "saga.compensating":
            self._turn(event.at)
        elif event.name == "saga.finished":
            for record in [*self.open]:
                self.end(record, event.at)
            self.mark(event.at)
            self.run_at(None, first=event.at).begin(Cause.ENDED, event.at)

    def _turn(self, at: float) -> None:
        forward = [each for each in self.open if each and not each.endswith((UNDO, VERIFY))]
        if not forward and (coming := self._unclaimed()):
            self.run_at(coming, first=at, is_published=False)
            forward = [coming]
        for record in forward:
            if self._gives_up(record):
                self.end(record, at)
        self.mark(at)

    def _unclaimed(self) -> str | None:
        """Return the record that came next, and that no worker had claimed; None if it is none of the line."""
        known = {without_item(record) for record in (*self._ended, *filter(None, self.open))}
        for path, plan in self._itinerary.records.items():
            if path == plan.step.name and path not in known:
                return None if self._itinerary.branch_of(path) or plan.step.stands else path
        return None

    def _gives_up(self, record: str) -> bool:
        """Return whether a record waits no more once the saga turns back: what runs may end, and a child is waited for."""
        doing = self.open[record].doing
        return doing is None or doing.cause in (Cause.SIGNAL, Cause.DELAY, Cause.FOLDED)

    def _stand(self, event: Event) -> None:
        """Let the saga wait for an operator."""
        for record in [*self.open]:
            self.end(record, event.at)
        reason = str(event.details.get("reason", ""))
        record = reason.removesuffix(_FOR_GOOD) if reason.endswith(_FOR_GOOD) else None
        self.open[None] = self._stuck_run(record, event.at)

    def _renew(self, at: float) -> None:
        """Let what waits for an attempt wait no more, and what failed for good while others went on."""
        for record, run in self.open.items():
            if record and run.is_pending and run.hold and run.hold.until > at:
                run.rest(at)
        if None not in self.open:
            for record, since in self._stuck.items():
                run = self._stuck_run(record, since)
                run.rest(at)
                self.runs.append(run)
        self._stuck.clear()

    def _stuck_run(self, record: str | None, since: float) -> Run:
        run = self._run(record, since)
        run.begin(Cause.STUCK, since)
        return run


def _error_type(event: Event) -> str | None:
    found = (event.details.get("error") or {}).get("type")
    return None if found is None else str(found)
