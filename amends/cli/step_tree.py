"""One saga drawn in lines: its status on top, its steps with do and undo side by side, its errors."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from amends.cli.children.rows import waits_for_children
from amends.cli.formatting import at_its_end, duration, json_text, moment, state_cell, waits_for
from amends.cli.records import Record, record_of, records_of
from amends.cli.step_rows import StepRows, told
from amends.cli.table import Cell, Column, table_lines
from amends.definition.paths import UNDO
from amends.definition.states import ENDED
from amends.diagnosis.saga.times.segments import Times
from amends.log.history import printable
from amends.log.queries.children import ChildState
from amends.log.queries.open_waits import open_wait
from amends.log.queries.pivot import passed_pivot
from amends.log.queries.stage_state import at_hand, stage_at_hand
from amends.log.record import located
from amends.log.saga_state import Standing

_MOST_ERRORS: Final = 10


def saga_lines(
    standing: Standing, times: Times, children: Sequence[ChildState] = (), *, width: int | None
) -> Iterator[str]:
    """Draw a saga, in lines of at most `width` columns where that can be."""
    here = at_hand(standing)
    yield from _head(standing, here, children)
    yield ""
    columns = [
        Column(""),
        Column("step", may_shrink=True),
        Column("do"),
        Column("undo"),
        Column("took", right=True),
        Column("waited", may_drop=True),
    ]
    rows = [*StepRows(standing, here, children, times=times).rows()]
    yield from table_lines(columns, rows, width=width)
    yield from _errors(standing, here)


def payload_lines(payloads: Mapping[str, Any]) -> Iterator[str]:
    """Draw what is private and was asked for, as JSON."""
    for name, value in payloads.items():
        yield ""
        yield str(Cell(name, {"dim": True}))
        yield from json_text(value, indent=2).splitlines()


def _errors(standing: Standing, here: Sequence[str]) -> Iterator[str]:
    """Draw the last errors: one line for those that items of a step have in common."""
    alike: dict[tuple[str, str], list[Record]] = {}
    for record in records_of(standing):
        if record.error:
            of = standing.entry.itinerary.records[record.path]
            step = of.step.name if of.is_for_items else record.path
            alike.setdefault((step, located(record.error, record.frame)), []).append(record)
    if alike:
        yield ""
        yield str(Cell("last errors", {"dim": True}))
    present = frozenset(here)
    for (_, error), records in [*alike.items()][:_MOST_ERRORS]:
        color = "red" if any(record.path in present for record in records) else None
        more = f" and {len(records) - 1:,} more" if records[1:] else ""
        yield f"  {records[0].path}{more}: {Cell(error, {'fg': color})}"
    if len(alike) > _MOST_ERRORS:
        yield f"  and {len(alike) - _MOST_ERRORS:,} others; --json has all"


def _head(standing: Standing, here: Sequence[str], children: Sequence[ChildState]) -> Iterator[str]:
    entry = standing.entry
    paused = Cell("  paused" if entry.paused_at is not None else "", {"fg": "yellow"})
    name = printable(entry.itinerary.saga)
    yield f"{Cell(entry.id, {'bold': True})}  {name}  {state_cell(entry.status)}{paused}"
    for name, text in saga_facts(standing, here, children).items():
        yield f"  {Cell(f'{name:<10}', {'dim': True})}  {text}"


def saga_facts(
    standing: Standing, here: Sequence[str], children: Sequence[ChildState]
) -> dict[str, str]:
    """Return what there is to say of a saga, by the names of the facts.

    here: paths of the present records.
    """
    entry = standing.entry
    steps = {path.removesuffix(UNDO) for path in here}
    facts = {
        "child of": f"{entry.parent.id}, step {entry.parent.step}" if entry.parent else None,
        "reason": entry.reason,
        "outcome": entry.outcome,
        "turned by": entry.error and located(entry.error, entry.frame),
        "stands at": _stand(standing, here),
        "waits for": waits_for_children(
            [each for each in children if each.step in steps and each.is_live]
        ),
        **_wait_facts(standing, here),
        "besides": f"{len(here) - 1:,} more" if here[1:] else None,
        "settles": _settling(standing),
        "started": _ago(standing, entry.created_at),
        "begins": _beginning(standing),
        "last event": _ago(standing, standing.last_event.at),
        "deadline": _deadline(standing),
    }
    return {name: printable(_one_line(text)) for name, text in facts.items() if text}


def _stand(standing: Standing, here: Sequence[str]) -> str | None:
    if not here:
        return None
    record = record_of(standing, here[0])
    stand = f"{record.path}: {told(record)}"
    if record.time_left is None:
        return stand
    if record.time_left <= 0:
        return f"{stand}, past its time"
    return f"{stand}, given up in {duration(record.time_left)}"


def _wait_facts(standing: Standing, here: Sequence[str]) -> dict[str, str | None]:
    """Tell what the present record waits for, until when, and what happens then."""
    wait = open_wait(standing.entry, here[0]) if here else None
    if wait is None:
        return {}
    told: dict[str, str | None] = {"waits for": waits_for(wait)}
    if wait.ends_at is not None:
        left = wait.ends_at - standing.now
        when = f"in {duration(left)}" if left > 0 else f"passed {duration(-left)} ago"
        told["until"] = f"{moment(wait.ends_at)}, {when}"
        told["then"] = at_its_end(wait, has_passed_pivot=passed_pivot(standing.entry) is not None)
    return told


def _settling(standing: Standing) -> str | None:
    stage = stage_at_hand(standing.entry)
    if stage is None or not stage.is_settling(standing.entry):
        return None
    return "what runs may end, and is not tried again; then the undo begins"


def _ago(standing: Standing, at: float) -> str:
    return f"{moment(at)}, {duration(standing.now - at)} ago"


def _beginning(standing: Standing) -> str | None:
    left = (standing.entry.begins_at or 0.0) - standing.now
    return f"in {duration(left)}" if left > 0 and standing.entry.status not in ENDED else None


def _deadline(standing: Standing) -> str | None:
    entry, deadline = standing.entry, standing.entry.deadline_at
    if deadline is None or entry.status in ENDED or not entry.is_forward:
        return None  # on the way back there is none
    left = deadline - standing.now
    return f"in {duration(left)}" if left > 0 else f"passed {duration(-left)} ago"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
