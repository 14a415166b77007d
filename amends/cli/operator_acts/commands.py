"""What operators did to sagas, circuits and schedules."""

from typing import Any, Final

import click

from amends.cli.command import command
from amends.cli.filters import at_most, options
from amends.cli.formatting import seconds_of
from amends.cli.operator_acts.text import act_json, column_names, go_on, results, row
from amends.cli.output import Output
from amends.log.acts.act import Act
from amends.log.queries.acts import MOST_LOOKED_AT, ActPage, ActQuery, find_acts

_ACTS: Final = (
    *("retry", "skip", "cancel", "pause", "resume", "signal"),
    *("open", "close", "disable", "clear"),
    *("trigger", "backfill", "forget"),
)
_SHOWN: Final = 50


@command("acts")
@options(
    click.option("--since", type=seconds_of, metavar="TIME", help="In the last 90s, 10m, 12h, 2d."),
    click.option("--by", metavar="NAME", help="By this operator."),
    click.option("--act", type=click.Choice(_ACTS), help="This act."),
    click.option("--saga", metavar="NAME", help="On sagas of this definition, one or many."),
    click.option(
        "--id", "saga_id", metavar="ID", help="On this saga alone; its history has the bulk acts."
    ),
    at_most(_SHOWN),
    click.option("--after", metavar="PLACE", help="Go on where the list before ended."),
)
def list_acts(output: Output, *, limit: int, after: str | None, **which: Any) -> None:
    """List what operators did to sagas, circuit breakers and schedules, the newest first.

    An act on many sagas is one entry, with how many were done and refused. If it was interrupted, the command to go on with follows.
    """
    try:
        page = find_acts(output.app, ActQuery(**which), limit=limit, after=after)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--after") from error
    if output.as_json:
        output.json({"acts": [_document(output, each) for each in page.acts], "after": page.after})
    else:
        _tell(output, page, which)


def _document(output: Output, act: Act) -> dict[str, Any]:
    """Return the document of an act, with the command that goes on with it, or null."""
    command = output.command_line(*go_on(act)) if act.is_interrupted else None
    return {**act_json(act), "go_on": command}


def _tell(output: Output, page: ActPage, which: dict[str, Any]) -> None:
    if page.acts:
        output.table(column_names(), [row(act, page.now) for act in page.acts])
    elif not output.note_if_empty():
        output.line("No act fits." if any(which.values()) else "Nobody has acted.")
    for act in page.acts:
        if act.bulk and act.is_interrupted:
            output.line()
            output.line(f"{act.act} {act.id} was stopped: {results(act.bulk)}. To go on with it:")
            output.line(f"    {output.command_line(*go_on(act))}")
    if page.is_cut:
        output.line(f"Looked at {MOST_LOOKED_AT:,} acts, and stopped.", fg="yellow")
    if page.after is not None:
        output.line(f"Go on with --after {page.after}", dim=True)
