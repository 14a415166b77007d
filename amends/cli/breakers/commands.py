"""The circuit breakers of the app: their states, and the acts of an operator on one."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import click

from amends.breaker.circuits import circuits
from amends.breaker.control import LONGEST_FORCED, Control
from amends.breaker.definition import breakers
from amends.cli.attribution import name_of, reason_of, signed
from amends.cli.breakers.text import COLUMNS, SHOWN, Reading, document, row, tell
from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.formatting import duration, seconds_of
from amends.cli.output import Output
from amends.cli.table import Cell
from amends.errors import did_you_mean
from amends.log.queries.circuit_waits import CircuitWaits
from amends.log.saga_log import log_of

_ACTS: Final[Mapping[str, Callable[..., None]]] = {
    "open": Control.force_open,
    "close": Control.reset,
    "disable": Control.disable,
    "clear": Control.clear_override,
    "reset": Control.reset,
}


@command("breakers")
def list_breakers(output: Output) -> None:
    """List the circuit breakers of the app, and how they stand.

    With --json a list of what `breaker` gives of each.
    """
    found = _breakers(output)
    if not found and not output.as_json:
        output.line("The app defines no circuit breaker.")
        return
    waits = CircuitWaits.read(output.app)
    read = [Reading.of(breaker, waits, most=1) for breaker in found]
    if output.as_json:
        output.json([document(each) for each in read])
        return
    output.table(COLUMNS, [row(each) for each in read])
    if waits.is_cut:
        output.line(
            f"Looked at {waits.looked_at:,} sagas for what they wait for, and stopped.", fg="yellow"
        )


@command("breaker")
@click.argument("name")
@click.argument("act", required=False, type=click.Choice(list(_ACTS)))
@click.option(
    "--for",
    "time",
    type=seconds_of,
    metavar="TIME",
    help="Of `open`: it ends by itself after so long: 30m, 1h30m, 2d.",
)
@signed
def show_breaker(
    output: Output,
    *,
    name: str,
    act: str | None,
    time: float | None,
    why: str | None,
    by: str | None,
) -> Exit:
    """Show a circuit breaker, the sagas that wait for it and its last transitions, or take it over.

    `open` lets no call through and `disable` every one, until `clear` lets its own state decide again. `open --for 30m`
    ends by itself; one call then finds out whether the service is back. `close`, which `reset` is another word for, closes
    it, zeroes all and takes away what a person decided.
    """
    _check_time(act, time)
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
        how = {} if time is None else {"duration": time}
        partial(_ACTS[act], **how)(breaker, by=name_of(by), why=reason_of(why))
    read = Reading.of(breaker, CircuitWaits.read(output.app), most=SHOWN)
    if output.as_json:
        output.json(document(read))
    else:
        tell(output, breaker, read)
    return Exit.OK


def _check_time(act: str | None, time: float | None) -> None:
    if time is not None and act != "open":
        raise click.UsageError("--for goes with open alone: breaker NAME open --for 30m")
    if time is not None and not 0 < time <= LONGEST_FORCED:
        longest = duration(LONGEST_FORCED)
        raise click.BadParameter(f"more than 0 seconds, and at most {longest}", param_hint="--for")


def _breakers(output: Output) -> Sequence[Control]:
    """List all circuits: of a breaker of which each worker has its own, those of the workers that live."""
    output.app.loader.import_default_modules()
    is_shared = all(breaker.options.scope == "shared" for breaker in breakers())
    return circuits(() if is_shared else log_of(output.app).workers.live_nodes())
