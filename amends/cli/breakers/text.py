"""Circuit breakers as rows, sentences and JSON documents."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from amends.breaker.control import Control
from amends.breaker.snapshot import CircuitEvent, CircuitSnapshot
from amends.breaker.states import CircuitState
from amends.cli.formatting import clock, clock_time, date, duration, moment
from amends.cli.output import Output
from amends.cli.table import Cell, Column
from amends.log.queries.circuit_waits import CircuitWaits

SHOWN: Final = 10
"""Transitions of a circuit that are shown."""
_STYLES: Final[Mapping[CircuitState, dict[str, Any]]] = {
    CircuitState.CLOSED: {"fg": "green"},
    CircuitState.OPEN: {"fg": "red", "bold": True},
    CircuitState.HALF_OPEN: {"fg": "yellow"},
    CircuitState.FORCED_OPEN: {"fg": "red", "bold": True},
    CircuitState.DISABLED: {"fg": "yellow"},
}
_MEANINGS: Final[Mapping[CircuitState, str]] = {
    CircuitState.CLOSED: "Every call goes through.",
    CircuitState.OPEN: "No call goes through, until its time is over and one finds out whether the service is back.",
    CircuitState.HALF_OPEN: "A few calls go through, to see whether the service is back.",
    CircuitState.FORCED_OPEN: "An operator lets no call through.",
    CircuitState.DISABLED: "An operator lets every call through, and nothing is counted.",
}
COLUMNS: Final = (
    Column("name", may_shrink=True),
    Column("state"),
    Column("since"),
    Column("failed", right=True),
    Column("next in", right=True),
    Column("sagas", right=True),
    Column("kept away", right=True),
    Column("why", may_drop=True),
)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A circuit at one moment: its snapshot, its last transitions, and the sagas that wait for it."""

    name: str
    seen: CircuitSnapshot
    events: Sequence[CircuitEvent]
    waiting: int
    looked_at: int
    is_cut: bool  #: Whether more sagas may wait for it: not all were looked at.

    @classmethod
    def of(cls, breaker: Control, waits: CircuitWaits, *, most: int) -> "Reading":
        """Read a circuit with so many of its last transitions. Raises `LogUnavailable`."""
        return cls(
            name=breaker.name,
            seen=breaker.snapshot(),
            events=breaker.history(limit=most),
            waiting=waits.counts.get(breaker.name, 0),
            looked_at=waits.looked_at,
            is_cut=waits.is_cut,
        )

    @property
    def waiting_text(self) -> str:
        """How many sagas wait for it: ``14``, or ``14+`` where not all were looked at."""
        return f"{self.waiting:,}{'+' if self.is_cut else ''}"


def row(read: Reading) -> list[Cell | str]:
    """Give the row of a circuit in the list of all."""
    seen, last = read.seen, read.events
    since = clock(last[-1].at, time.time()) if last else ""
    by, why = _cause(seen, last)
    return [
        read.name,
        Cell(_written(seen.state), _STYLES[seen.state]),
        since,
        str(seen.failures),
        _wait(seen),
        read.waiting_text,
        f"{seen.refused:,}",
        f"by {by}: {why}" if by else "",
    ]


def tell(output: Output, breaker: Control, read: Reading) -> None:
    """Print a circuit: what its state means, who waits for it, and its last transitions."""
    seen, options = read.seen, breaker.options
    output.line(f"{read.name}  ", Cell(_written(seen.state), _STYLES[seen.state]))
    output.line(f"  {_MEANINGS[seen.state]}", bold=True)
    for sentence in _sentences(read):
        output.line(f"  {sentence}")
    if read.waiting:
        output.line(f"    {output.command_line('list', '--circuit', read.name)}", fg="cyan")
    output.line()
    output.line(
        f"It opens for {duration(options.reset_timeout)} after {_count(options.failure_threshold, 'failure')} in a row,"
        f" and closes after {_count(options.success_threshold, 'success', 'successes')}.",
        dim=True,
    )
    if read.events:
        output.line()
        columns = [Column("at"), Column("event"), Column("by"), Column("why", may_shrink=True)]
        output.table(columns, [_event_row(event) for event in read.events])


def _sentences(read: Reading) -> list[str]:
    seen, told = read.seen, []
    if seen.state in (CircuitState.FORCED_OPEN, CircuitState.DISABLED):
        told.append(
            f"By {seen.by or 'nobody knows whom'}: {_flat(seen.why) or 'no reason was given'}."
        )
        told += _end_of_override(seen)
    if seen.state is CircuitState.OPEN:
        told.append(
            f"A call may find out in {duration(seen.retry_after)}."
            if seen.retry_after
            else "The next call finds out."
        )
    if seen.failures:
        told.append(f"{_count(seen.failures, 'failure')} in a row.")
    if seen.probes:
        told.append(f"Under way to find out: {_count(len(seen.probes), 'call')}.")
    if seen.refused:
        told.append(f"Kept away so far: {_count(seen.refused, 'call')}.")
    if read.waiting or read.is_cut:
        verb = "waits" if read.waiting == 1 else "wait"
        some = f" of the first {read.looked_at:,} that were looked at" if read.is_cut else ""
        told.append(
            f"{_count(read.waiting, 'saga')}{some} {verb} for it{':' if read.waiting else '.'}"
        )
    return told


def _end_of_override(seen: CircuitSnapshot) -> list[str]:
    if seen.forced_until is None:
        beneath = _written(seen.beneath)
        return [f"It stays so until somebody clears it; beneath that it is {beneath}."]
    now = seen.forced_until - seen.retry_after
    until, left = clock(seen.forced_until, now), duration(seen.retry_after)
    return [
        f"It ends by itself at {until}, {left} from now.",
        "The next call then finds out whether the service is back.",
    ]


def _cause(seen: CircuitSnapshot, last: Sequence[CircuitEvent]) -> tuple[str, str]:
    """Tell who brought it to its state and why, where it is not closed."""
    if seen.state in (CircuitState.FORCED_OPEN, CircuitState.DISABLED):
        return seen.by, _flat(seen.why)
    if seen.state is CircuitState.OPEN and last:
        return last[-1].by, _flat(last[-1].why)
    return "", ""


def _wait(seen: CircuitSnapshot) -> str:
    if seen.state is not CircuitState.OPEN and seen.forced_until is None:
        return ""
    return duration(seen.retry_after) if seen.retry_after else "now"


def _event_row(event: CircuitEvent) -> list[Cell | str]:
    at = f"{date(event.at)} {clock_time(event.at)}"
    is_timed = event.name == "breaker.forced_open" and "wait" in event.details
    name = f"{event.name} for {duration(event.details['wait'])}" if is_timed else event.name
    return [Cell(at, {"dim": True}), name, event.by, _flat(event.why)]


def document(read: Reading) -> dict[str, Any]:
    """Give a circuit as a JSON document."""
    seen = read.seen
    events = [
        {"at": moment(each.at), "name": each.name, "by": each.by, "why": each.why, **each.details}
        for each in read.events
    ]
    return {
        "name": read.name,
        "state": seen.state,
        "beneath": seen.beneath,
        "since": events[-1]["at"] if events else None,
        "retry_after": round(seen.retry_after, 3),
        "forced_until": None if seen.forced_until is None else moment(seen.forced_until),
        "failures": seen.failures,
        "opens": seen.opens,
        "probes": len(seen.probes),
        "late": seen.late,
        "refused": seen.refused,
        "waiting": read.waiting,
        "waiting_is_cut": read.is_cut,
        "by": seen.by,
        "why": seen.why,
        "events": events,
    }


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _written(state: CircuitState) -> str:
    return state.replace("_", " ")


def _flat(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
