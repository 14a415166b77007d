"""The circuit breakers of the app: their states, and the acts of an operator on one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click

from amends.breaker.circuits import circuits
from amends.breaker.control import Control
from amends.breaker.definition import breakers
from amends.breaker.snapshot import CircuitEvent, CircuitSnapshot
from amends.breaker.states import CircuitState
from amends.cli.attribution import name_of, reason_of, signed
from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.formatting import clock_time, date, duration, moment
from amends.cli.output import Output
from amends.cli.table import Cell, Column
from amends.errors import did_you_mean
from amends.log.saga_log import log_of

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
_ACTS: Final[Mapping[str, Callable[..., None]]] = {
    "open": Control.force_open,
    "close": Control.reset,
    "disable": Control.disable,
    "clear": Control.clear_override,
    "reset": Control.reset,
}
_SHOWN: Final = 10


@command("breakers")
def list_breakers(output: Output) -> None:
    """List the circuit breakers of the app, and how they stand.

    With --json a list of what `breaker` gives of each.
    """
    found = _breakers(output)
    if output.as_json:
        output.json([_document(breaker, most=1) for breaker in found])
        return
    if not found:
        output.line("The app defines no circuit breaker.")
        return
    columns = [Column("name"), Column("state"), Column("since"), Column("failures", right=True)]
    columns += [
        Column("lets one through in", right=True),
        Column("by"),
        Column("why", may_shrink=True),
    ]
    output.table(columns, [_row(breaker) for breaker in found])


@command("breaker")
@click.argument("name")
@click.argument("act", required=False, type=click.Choice(list(_ACTS)))
@signed
def show_breaker(
    output: Output, *, name: str, act: str | None, why: str | None, by: str | None
) -> Exit:
    """Show a circuit breaker and its last transitions, or take it over.

    `open` lets no call through and `disable` every one, until `clear` lets its own state decide again. `close`,
    which `reset` is another word for, closes it, zeroes all and takes away what a person decided.
    """
    found = {breaker.name: breaker for breaker in _breakers(output)}
    if name not in found:
        hint = did_you_mean(name, found) or f"; it has {', '.join(found) or 'none'}"
        click.echo(
            f"{Cell('error:', {'fg': 'red', 'bold': True})} the app defines no circuit breaker {name!r}{hint}",
            err=True,
        )
        return Exit.UNKNOWN
    breaker = found[name]
    if act is not None:
        _ACTS[act](breaker, by=name_of(by), why=reason_of(why))
    if output.as_json:
        output.json(_document(breaker, most=_SHOWN))
    else:
        _tell(output, breaker)
    return Exit.OK


def _breakers(output: Output) -> Sequence[Control]:
    """List all circuits: of a breaker of which each worker has its own, those of the workers that live."""
    output.app.loader.import_default_modules()
    is_shared = all(breaker.options.scope == "shared" for breaker in breakers())
    return circuits(() if is_shared else log_of(output.app).workers.live_nodes())


def _row(breaker: Control) -> list[Cell | str]:
    seen, last = breaker.snapshot(), breaker.history(limit=1)
    since = f"{date(last[-1].at)} {clock_time(last[-1].at)[:8]}Z" if last else ""
    by, why = _cause(seen, last)
    return [
        breaker.name,
        Cell(_written(seen.state), _STYLES[seen.state]),
        since,
        str(seen.failures),
        _wait(seen),
        by,
        why,
    ]


def _tell(output: Output, breaker: Control) -> None:
    seen, options, history = breaker.snapshot(), breaker.options, breaker.history(limit=_SHOWN)
    output.line(f"{breaker.name}  ", Cell(_written(seen.state), _STYLES[seen.state]))
    output.line(f"  {_MEANINGS[seen.state]}", bold=True)
    for sentence in _sentences(seen):
        output.line(f"  {sentence}")
    output.line()
    output.line(
        f"It opens for {duration(options.reset_timeout)} after {_count(options.failure_threshold, 'failure')} in a row,"
        f" and closes after {_count(options.success_threshold, 'success', 'successes')}.",
        dim=True,
    )
    if history:
        output.line()
        columns = [Column("at"), Column("event"), Column("by"), Column("why", may_shrink=True)]
        output.table(columns, [_event_row(event) for event in history])


def _sentences(seen: CircuitSnapshot) -> list[str]:
    told = []
    if seen.state in (CircuitState.FORCED_OPEN, CircuitState.DISABLED):
        told.append(
            f"By {seen.by or 'nobody knows whom'}: {_flat(seen.why) or 'no reason was given'}."
        )
        told.append(f"Beneath that it is {_written(seen.beneath)}.")
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
    return told


def _cause(seen: CircuitSnapshot, last: Sequence[CircuitEvent]) -> tuple[str, str]:
    """Tell who brought it to its state and why, where it is not closed."""
    if seen.state in (CircuitState.FORCED_OPEN, CircuitState.DISABLED):
        return seen.by, _flat(seen.why)
    if seen.state is CircuitState.OPEN and last:
        return last[-1].by, _flat(last[-1].why)
    return "", ""


def _wait(seen: CircuitSnapshot) -> str:
    if seen.state is not CircuitState.OPEN:
        return ""
    return duration(seen.retry_after) if seen.retry_after else "now"


def _event_row(event: CircuitEvent) -> list[Cell | str]:
    at = f"{date(event.at)} {clock_time(event.at)}"
    return [Cell(at, {"dim": True}), event.name, event.by, _flat(event.why)]


def _document(breaker: Control, *, most: int) -> dict[str, Any]:
    seen = breaker.snapshot()
    events = [
        {"at": moment(each.at), "name": each.name, "by": each.by, "why": each.why, **each.details}
        for each in breaker.history(limit=most)
    ]
    return {
        "name": breaker.name,
        "state": seen.state,
        "beneath": seen.beneath,
        "since": events[-1]["at"] if events else None,
        "retry_after": round(seen.retry_after, 3),
        "failures": seen.failures,
        "opens": seen.opens,
        "probes": len(seen.probes),
        "late": seen.late,
        "by": seen.by,
        "why": seen.why,
        "events": events,
    }


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _written(state: CircuitState) -> str:
    return state.replace("_", " ")


def _flat(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
