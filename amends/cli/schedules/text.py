"""Schedules as rows, as text and as JSON."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from amends.cli.formatting import duration, moment
from amends.cli.output import Output
from amends.cli.table import Cell
from amends.definition.states import ENDED
from amends.errors import UnknownSaga
from amends.log.saga_log import SagaLog
from amends.log.schedules.state import ScheduleEvent, ScheduleState
from amends.scheduling.definition import Schedule

_STYLES: Final[Mapping[str, dict[str, Any]]] = {
    "on": {"fg": "green"},
    "paused": {"fg": "yellow"},
    "failing": {"fg": "red", "bold": True},
    "not defined": {"fg": "red", "bold": True},
}


def _standing(state: ScheduleState) -> str:
    if state.is_left:
        return "not defined"
    if state.paused_at is not None:
        return "paused"
    return "failing" if state.error else "on"


def _next(state: ScheduleState, defined: Schedule[Any, Any] | None) -> float | None:
    """Return when it is due next, None if it stands still or only its workers know."""
    if defined is None or state.is_left or state.paused_at is not None:
        return None
    return defined.ticks.after(datetime.fromtimestamp(state.cursor / 1000, UTC)).timestamp()


def _status(log: SagaLog, state: ScheduleState) -> str | None:
    try:
        return log.read_status(state.last) if state.last else None
    except UnknownSaga:
        return "removed"


def row(log: SagaLog, state: ScheduleState, defined: Schedule[Any, Any] | None) -> list[Cell | str]:
    """Return its row in a table; `defined` is the schedule if this process imports it, here and in what follows."""
    standing, due = _standing(state), _next(state, defined)
    return [
        state.name,
        state.definition["saga"],
        state.definition["when"],
        Cell(standing, _STYLES[standing]),
        "" if due is None else duration(max(0.0, due - state.now)),
        *(str(state.counts[each]) for each in ("fired", "skipped", "missed")),
        f"{state.last}, {_status(log, state)}" if state.last else "",
    ]


def tell(
    output: Output,
    log: SagaLog,
    state: ScheduleState,
    defined: Schedule[Any, Any] | None,
    events: Sequence[ScheduleEvent],
) -> None:
    """Print how it stands, and these events."""
    standing, due = _standing(state), _next(state, defined)
    output.line(f"{state.name}  {state.definition['saga']}  ", Cell(standing, _STYLES[standing]))
    by, why = state.by or "somebody", f", because {state.why}" if state.why else ""
    facts = {
        "when": f"{state.definition['when']}, overlap {state.definition['overlap']}, catch_up {duration(state.definition['catch_up'])}",
        "next": None if due is None else f"{moment(due)}, in {duration(max(0.0, due - state.now))}",
        "paused": None if state.paused_at is None else f"{moment(state.paused_at)} by {by}{why}",
        "not defined": f"by any worker since {moment(state.seen)}" if state.is_left else None,
        "error": state.error,
        "last saga": state.last and f"{state.last}, {_status(log, state)}",
        "ticks": ", ".join(f"{count} {name}" for name, count in state.counts.items()),
    }
    for name, text in facts.items():
        if text:
            output.line(f"  {name:<11}  {text}")
    for each in events:
        details = ", ".join(f"{name} {value}" for name, value in _told(each).items())
        output.line(f"  {moment(each.at)}  {each.name}  {details}")


def _told(event: ScheduleEvent) -> dict[str, Any]:
    """Return the details of an event, times as text."""
    return {
        name: moment(value / 1000) if isinstance(value, int) and name in ("due", "until") else value
        for name, value in event.details.items()
    }


def event_json(event: ScheduleEvent) -> dict[str, Any]:
    """Return an event as JSON data."""
    return {"at": moment(event.at), "name": event.name, **_told(event)}


def schedule_json(
    log: SagaLog, state: ScheduleState, defined: Schedule[Any, Any] | None
) -> dict[str, Any]:
    """Return how it stands as JSON data."""

    def at(time: float | None) -> str | None:
        return None if time is None else moment(time)

    status = _status(log, state)
    return {
        "name": state.name,
        "app": state.app_name,
        **state.definition,
        "state": _standing(state),
        "next": at(_next(state, defined)),
        "last": state.last,
        "last_due": at(state.last_due),
        "last_status": status,
        "running": status is not None and status not in {*ENDED, "removed"},
        "paused_since": at(state.paused_at),
        "by": state.by,
        "why": state.why,
        "error": state.error,
        "seen": moment(state.seen),
        **state.counts,
    }
