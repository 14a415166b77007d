"""One saga drawn in lines: its status on top, its steps with do and undo side by side, its errors."""

from collections.abc import Iterator, Mapping
from typing import Any

from amends.cli.formatting import duration, json_text, moment, state_cell
from amends.cli.records import Record, at_hand, record_of, records_of
from amends.cli.table import Cell, Column, table_lines
from amends.definition.itinerary import StepPlan
from amends.definition.states import ENDED, RecordState
from amends.log.history import printable
from amends.log.saga_state import Standing


def saga_lines(standing: Standing, *, width: int | None) -> Iterator[str]:
    """Draw a saga, in lines of at most `width` columns where that can be."""
    yield from _head(standing)
    yield ""
    columns = [Column(""), Column("step", may_shrink=True), Column("do"), Column("undo")]
    rows = [row for step in standing.entry.itinerary.steps for row in _rows(standing, step)]
    yield from table_lines(columns, rows, width=width)
    errors = [record for record in records_of(standing) if record.error]
    if errors:
        yield ""
        yield str(Cell("last errors", {"dim": True}))
    for record in errors:
        color = "red" if record.path == at_hand(standing) else None
        yield f"  {record.path}: {Cell(_one_line(record.error), {'fg': color})}"


def payload_lines(payloads: Mapping[str, Any]) -> Iterator[str]:
    """Draw what is private and was asked for, as JSON."""
    for name, value in payloads.items():
        yield ""
        yield str(Cell(name, {"dim": True}))
        yield from json_text(value, indent=2).splitlines()


def _head(standing: Standing) -> Iterator[str]:
    entry = standing.entry
    paused = Cell("  paused" if entry.paused_at is not None else "", {"fg": "yellow"})
    name = printable(entry.itinerary.saga)
    yield f"{Cell(entry.id, {'bold': True})}  {name}  {state_cell(entry.status)}{paused}"
    facts = {
        "reason": entry.reason,
        "outcome": entry.outcome,
        "turned by": entry.error,
        "stands at": _stand(standing),
        "started": _ago(standing, entry.created_at),
        "last event": _ago(standing, standing.last_event.at),
        "deadline": _deadline(standing),
    }
    for name, text in facts.items():
        if text:
            yield f"  {Cell(f'{name:<10}', {'dim': True})}  {printable(_one_line(text))}"


def _stand(standing: Standing) -> str | None:
    path = at_hand(standing)
    if path is None:
        return None
    record = record_of(standing, path)
    told = f"{path}: {_told(record)}"
    if record.time_left is None:
        return told
    if record.time_left <= 0:
        return f"{told}, past its time"
    return f"{told}, given up in {duration(record.time_left)}"


def _ago(standing: Standing, at: float) -> str:
    return f"{moment(at)}, {duration(standing.now - at)} ago"


def _deadline(standing: Standing) -> str | None:
    entry, deadline = standing.entry, standing.entry.deadline_at
    if deadline is None or entry.status in ENDED or not entry.is_forward:
        return None  # on the way back there is none
    left = deadline - standing.now
    return f"in {duration(left)}" if left > 0 else f"passed {duration(-left)} ago"


def _rows(standing: Standing, step: StepPlan) -> Iterator[list[Cell | str]]:
    here = at_hand(standing)
    for path, name in ((step.name, step.name), (f"{step.name}:fallback", "  or its fallback")):
        if path not in standing.entry.itinerary.records:
            continue
        record = record_of(standing, path)
        if path.endswith(":fallback") and not record.was_touched:
            continue
        undo = record_of(standing, f"{path}:undo") if step.compensation else None
        is_here = here is not None and here in (path, f"{path}:undo")
        yield [
            Cell(">" if is_here else "", {"bold": True}),
            Cell(name, {"bold": is_here}),
            _cell(record, here),
            _cell(undo, here) if undo else Cell("has none", {"dim": True}),
        ]


def _cell(record: Record, here: str | None) -> Cell:
    is_wanted = record.is_ahead if record.is_compensation else record.path == here
    if not record.was_touched and not is_wanted:
        return Cell("-" if record.is_compensation else "", {"dim": True})
    return state_cell(record.state, _told(record))


def _told(record: Record) -> str:
    """Say where a record is in a few words: its state, how often it was tried, and for how long or when again."""
    words = [str(record.state)]
    if record.claimed is not None:
        words = [f"running for {duration(record.claimed)}"]
    elif record.wait is not None:
        words = [f"again in {duration(record.wait)}" if record.wait else "again now"]
    if record.state is RecordState.RUNNING:
        words.append(f"attempt {record.attempts + 1}")
    elif record.attempts > 1 or (record.attempts and record.state is not RecordState.DONE):
        words.append(f"{record.attempts} attempt{'s' if record.attempts > 1 else ''}")
    return ", ".join(words)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
