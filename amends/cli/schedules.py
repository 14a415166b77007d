"""The schedules in the saga log: how they stand, and the acts of an operator on one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click

from amends.cli.attribution import name_of, reason_of, signed
from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.formatting import duration, moment
from amends.cli.output import Output
from amends.cli.table import Cell, Column
from amends.definition.states import ENDED
from amends.errors import UnknownSaga, UnknownSchedule
from amends.log.saga_log import SagaLog, log_of
from amends.log.schedules.state import ScheduleEvent, ScheduleState
from amends.saga.handle import Handle
from amends.scheduling.definition import Schedule, schedules

_ACTS: Final = ("pause", "resume", "trigger", "backfill", "forget")
_SHOWN: Final = 10
_STYLES: Final[Mapping[str, dict[str, Any]]] = {
    "on": {"fg": "green"},
    "paused": {"fg": "yellow"},
    "failing": {"fg": "red", "bold": True},
    "not defined": {"fg": "red", "bold": True},
}


@command("schedules")
def list_schedules(output: Output) -> None:
    """List the schedules that workers have written into the saga log, and how they stand.

    With --json a list of what `schedule` gives of each, without its events.
    """
    log = log_of(output.app)
    found = log.schedules.read_schedules()
    defined = _defined(output)
    if output.as_json:
        output.json([_document(log, each, defined.get(each.name)) for each in found])
        return
    if not found:
        output.line("No worker has written a schedule into this saga log.")
        return
    columns = [Column("name"), Column("saga"), Column("when", may_shrink=True), Column("state")]
    columns += [Column("next in", right=True), Column("last saga"), Column("its status")]
    columns += [Column(each, right=True) for each in ("fired", "skipped", "missed")]
    output.table(columns, [_row(log, each, defined.get(each.name)) for each in found])


@command("schedule")
@click.argument("name")
@click.argument("act", required=False, type=click.Choice(_ACTS))
@click.argument("times", nargs=-1, metavar="[FROM TO]")
@signed
def show_schedule(  # noqa: PLR0913 - each is an option
    output: Output, *, name: str, act: str | None, times: Sequence[str], why: str | None, by: str | None
) -> Exit:
    """Show a schedule and what happened to it last, or act on it.

    `pause` passes by what is due until `resume`. `trigger` starts its saga now. `backfill` starts the saga of each tick from
    FROM to TO that has none, times like 2027-01-31T00:00+01:00. `forget` removes one that no worker defines any more.
    """
    if bool(times) != (act == "backfill") or len(times) not in (0, 2):
        raise click.UsageError("backfill takes two times, FROM and TO, and nothing else takes any")
    log = log_of(output.app)
    defined = _defined(output).get(name)
    if act is not None:
        started = _act(log, name, defined, act, times, {"by": name_of(by), "why": reason_of(why)})
        if act == "forget":
            return _tell_forgotten(output, name, is_forgotten=started is not None)
        for each in started or ():
            output.line(f"started {each.id}") if not output.as_json else None
    state = log.schedules.read_schedule(name)
    if state is None:
        raise UnknownSchedule(name)
    events = log.schedules.read_history(name)[-_SHOWN:]
    if output.as_json:
        document = _document(log, state, defined)
        output.json({**document, "events": [_event(each) for each in events]})
    else:
        _tell(output, log, state, defined, events)
    return Exit.OK


def _act(  # noqa: PLR0913 - what the command was given
    log: SagaLog,
    name: str,
    defined: Schedule[Any, Any] | None,
    act: str,
    times: Sequence[str],
    actor: dict[str, str],
) -> Sequence[Handle[Any]] | None:
    """Do it. Returns the sagas that it started; of a schedule that cannot be forgotten None."""
    if act == "forget":
        return () if log.schedules.forget_schedule(name) else None
    if act == "pause":
        log.schedules.pause_schedule(name, actor)
    elif act == "resume":
        log.schedules.resume_schedule(name, actor)
    elif defined is None:
        raise click.UsageError(
            f"this app imports no schedule {name!r}, and only its definition knows the input: name its module in `imports`"
        )
    elif act == "trigger":
        return [defined.trigger(**actor)]
    else:
        since, until = map(_time, times)
        try:
            return defined.backfill(since, until, **actor)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    return ()


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(
            f"{text!r} is no time: write it as 2027-01-31T00:00+01:00"
        ) from error


def _defined(output: Output) -> dict[str, Schedule[Any, Any]]:
    """Return the schedules that the app's modules define."""
    output.app.loader.import_default_modules()
    return {each.name: each for each in schedules()}


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


def _row(
    log: SagaLog, state: ScheduleState, defined: Schedule[Any, Any] | None
) -> list[Cell | str]:
    standing, due = _standing(state), _next(state, defined)
    return [
        state.name,
        state.definition["saga"],
        state.definition["when"],
        Cell(standing, _STYLES[standing]),
        "" if due is None else duration(max(0.0, due - state.now)),
        state.last or "",
        _status(log, state) or "",
        *(str(state.counts[each]) for each in ("fired", "skipped", "missed")),
    ]


def _tell(
    output: Output,
    log: SagaLog,
    state: ScheduleState,
    defined: Schedule[Any, Any] | None,
    events: Sequence[ScheduleEvent],
) -> None:
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


def _event(event: ScheduleEvent) -> dict[str, Any]:
    return {"at": moment(event.at), "name": event.name, **_told(event)}


def _document(
    log: SagaLog, state: ScheduleState, defined: Schedule[Any, Any] | None
) -> dict[str, Any]:
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


def _tell_forgotten(output: Output, name: str, *, is_forgotten: bool) -> Exit:
    if output.as_json:
        output.json({"name": name, "forgotten": is_forgotten})
    elif is_forgotten:
        output.line(f"{name} is forgotten; its sagas stay in the log.")
    else:
        output.line(
            f"{name} is kept: a worker has defined it within the last 5 minutes. Take it out of the code, or pause it."
        )
    return Exit.OK if is_forgotten else Exit.REFUSED
