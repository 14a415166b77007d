"""One saga: its steps, and its history."""

from collections.abc import Iterator, Sequence
from time import sleep
from typing import Any, Final

import click

from amends.cli.children.rows import has_stuck
from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.formatting import clock_time, date, moment
from amends.cli.json_documents import children_json, event_json, saga_json
from amends.cli.output import Output
from amends.cli.step_tree import payload_lines, saga_lines
from amends.cli.table import Cell, Column
from amends.definition.serialization import canonical_json
from amends.definition.states import ENDED, SagaStatus
from amends.diagnosis.saga.payloads import payloads_of
from amends.log.history import Event
from amends.log.record import error_text
from amends.log.saga_state import Standing

_LOOK_EVERY: Final = 0.5  # seconds


@command("show")
@click.argument("saga_id")
@click.option("--follow", is_flag=True, help="Show how it goes on, until it ends or is stuck.")
@click.option("--input", "with_input", is_flag=True, help="Show its input, which may be private.")
@click.option("--output", "with_output", is_flag=True, help="Show its steps' outputs, too.")
def show_saga(output: Output, *, saga_id: str, follow: bool, **private: bool) -> Exit:
    """Show one saga: its steps with do and undo.

    A step that is a saga has that drawn under it. Exit code 1 if it is stuck. With --follow a terminal shows it anew as it goes, a pipe gets its events line by
    line, and with --json a document each time it has changed.
    """
    told: Sequence[Event] = ()
    if any(private.values()):
        output.app.loader.import_default_modules()  # what is secret in them
    for standing in _looks(output, saga_id, follow=follow):
        news, told = news_since(told, standing.history), standing.history
        shown = payloads_of(output.app, standing, **private)
        children = output.log.children.read_children(standing.entry)
        if output.as_json:
            if news:
                kin = {"children": children_json(children)} if children else {}
                output.json(saga_json(standing) | kin | shown)
        elif output.is_terminal or not follow:
            output.screen(
                [*saga_lines(standing, children, width=output.width), *payload_lines(shown)],
                anew=follow,
            )
        else:
            for event in news:
                output.line("  ".join(cell.text for cell in event_row(event, dated=True)).rstrip())
    is_stuck = standing.entry.status is SagaStatus.STUCK
    if not output.as_json and (is_stuck or any(map(has_stuck, children))):
        again = output.command_line("explain", saga_id)
        output.line()
        what = "Why it is stuck" if is_stuck else "What it waits for"
        output.line(f"{what}, and what you can do: {again}", dim=True)
    return Exit.ATTENTION if is_stuck else Exit.OK


@command("history")
@click.argument("saga_id")
def show_history(output: Output, *, saga_id: str) -> None:
    """Show what happened to a saga, in order; times are UTC.

    With --json, one line for each event: at, name, record and details.
    """
    events = output.log.read_history(saga_id)
    if output.as_json:
        for event in events:
            output.json(event_json(event))
        return
    columns = [Column("at"), Column("event"), Column("record"), Column("details", may_drop=True)]
    output.table(columns, [*_dated(events)])


def _looks(output: Output, saga_id: str, *, follow: bool) -> Iterator[Standing]:
    """Look at a saga; where it is followed, again and again until it ends or is stuck."""
    while True:
        standing = output.log.examine_saga(saga_id)
        yield standing
        if not follow or standing.entry.status in {*ENDED, SagaStatus.STUCK}:
            return
        sleep(_LOOK_EVERY)


def news_since(told: Sequence[Event], history: Sequence[Event]) -> list[Event]:
    """List what is new since: events, and those that stand for more than before."""
    known = [*told, *[None] * len(history)]
    return [event for event, before in zip(history, known, strict=False) if event != before]


def _dated(events: list[Event]) -> Iterator[list[Cell]]:
    """Give a row for each event, and before the first one of a day its date."""
    day = ""
    for event in events:
        if date(event.at) != day:
            day = date(event.at)
            yield [Cell(day, {"dim": True})]
        yield event_row(event)


def event_row(event: Event, *, dated: bool = False) -> list[Cell]:
    """Give the cells of an event; one that stands for several says how many."""
    at = f"{date(event.at)} {clock_time(event.at)}" if dated else clock_time(event.at)
    details = ", ".join(f"{name} {_detail(name, value)}" for name, value in event.details.items())
    if event.first_at is not None:
        since = f"{event.count:,} times since {date(event.first_at)} {clock_time(event.first_at)}"
        details = f"{since}, the last: {details}" if details else since
    return [Cell(at, {"dim": True}), Cell(event.name), Cell(event.record or ""), Cell(details)]


def _detail(name: str, value: Any) -> str:
    if name == "wait":
        return f"{value / 1000:g}s"
    if name == "until":
        return moment(value / 1000)
    if isinstance(value, dict) and {"type", "message"} <= value.keys():
        text = error_text(canonical_json(value)) or ""
    else:
        text = value if isinstance(value, str) else canonical_json(value)
    return " ".join(text.split())
