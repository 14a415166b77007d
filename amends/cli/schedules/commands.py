"""The schedules in the saga log: how they stand, and the acts of an operator on one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import click

from amends.cli.attribution import name_of, reason_of, signed
from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.output import Output
from amends.cli.schedules.text import event_json, row, schedule_json, tell
from amends.cli.table import Column
from amends.errors import UnknownSchedule
from amends.log.saga_log import SagaLog, log_of
from amends.saga.handle import Handle
from amends.scheduling.definition import Schedule, schedules

_ACTS: Final = ("pause", "resume", "trigger", "backfill", "forget")
_SHOWN: Final = 10


@command("schedules")
def list_schedules(output: Output) -> None:
    """List the schedules that workers have written into the saga log, and how they stand.

    The state is `on`, `paused`, `failing` (its saga cannot be started; `schedule NAME` says why) or `not defined` (by no worker
    for 5 minutes). `next in` is empty for one that stands still, or that this app does not import. The numbers count
    ticks: those that started a saga, those skipped because the saga before had not ended, those that came too late.

    With --json a list of what `schedule` gives of each, without its events.
    """
    log = log_of(output.app)
    found = log.schedules.read_schedules()
    defined = _defined(output)
    if output.as_json:
        output.json([schedule_json(log, each, defined.get(each.name)) for each in found])
        return
    if not found:
        output.line("No worker has written a schedule into this saga log.")
        return
    columns = [Column("name"), Column("saga"), Column("when", may_shrink=True), Column("state")]
    columns += [Column("next in", right=True), Column("last saga"), Column("its status")]
    columns += [Column(each, right=True) for each in ("fired", "skipped", "missed")]
    output.table(columns, [row(log, each, defined.get(each.name)) for each in found])


@command("schedule")
@click.argument("name")
@click.argument("act", required=False, type=click.Choice(_ACTS))
@click.argument("times", nargs=-1, metavar="[FROM TO]")
@signed
def show_schedule(
    output: Output,
    *,
    name: str,
    act: str | None,
    times: Sequence[str],
    why: str | None,
    by: str | None,
) -> Exit:
    """Show a schedule and what happened to it last, or act on it.

    `pause` passes by what is due until `resume`, which goes on with the next tick.

    `trigger` starts its saga now. `backfill` starts the saga of each tick from FROM to TO that has none, 1000 at most; a time
    is like 2027-01-31T00:00+01:00. Both do so while it is paused too, and whatever its overlap says, and need an app that
    imports it.

    `forget` removes one that no worker has defined for 5 minutes. Its sagas stay.
    """
    if bool(times) != (act == "backfill") or len(times) not in (0, 2):
        raise click.UsageError("backfill takes two times, FROM and TO, and nothing else takes any")
    log = log_of(output.app)
    defined = _defined(output).get(name)
    if act is not None:
        if act == "forget":  # and its history with it: nobody is asked why
            given = {"by": name_of(by), **({"why": why} if why else {})}
            is_forgotten = log.schedules.forget_schedule(name, given)
            return _tell_forgotten(output, name, is_forgotten=is_forgotten)
        actor = {"by": name_of(by), "why": reason_of(why)}
        for each in _act(log, name, defined, act, times, actor):
            output.line(f"started {each.id}") if not output.as_json else None
    state = log.schedules.read_schedule(name)
    if state is None:
        raise UnknownSchedule(name)
    events = log.schedules.read_history(name)[-_SHOWN:]
    if output.as_json:
        document = schedule_json(log, state, defined)
        output.json({**document, "events": [event_json(each) for each in events]})
    else:
        tell(output, log, state, defined, events)
    return Exit.OK


def _act(
    log: SagaLog,
    name: str,
    defined: Schedule[Any, Any] | None,
    act: str,
    times: Sequence[str],
    actor: dict[str, str],
) -> Sequence[Handle[Any]]:
    """Do it. Returns the sagas that it started."""
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
