"""One saga: its steps, and its history."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import click

from amends.archive.lookup import read_history
from amends.cli.children.rows import has_stuck
from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.following.looks import looks
from amends.cli.formatting import clock_time, date, duration, moment
from amends.cli.json_documents import children_json, event_json, saga_json
from amends.cli.output import Output
from amends.cli.step_tree import payload_lines, saga_lines
from amends.cli.table import Cell, Column
from amends.definition.serialization import canonical_json
from amends.definition.states import SagaStatus
from amends.diagnosis.saga.payloads import payloads_of
from amends.diagnosis.saga.times.accounting import times_of
from amends.log.history import Event
from amends.log.record import located


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
    for standing, children in looks(output, saga_id, follow=follow):
        news, told = news_since(told, standing.history), standing.history
        shown = payloads_of(output.app, standing, **private)
        times = times_of(output.app, standing)
        if output.as_json:
            if news:
                kin = {"children": children_json(children)} if children else {}
                output.json(saga_json(standing, times) | kin | shown)
        elif output.is_terminal or not follow:
            output.screen(
                [*saga_lines(standing, times, children, width=output.width), *payload_lines(shown)],
                anew=follow,
            )
        else:
            for event in news:
                output.line("  ".join(cell.text for cell in event_row(event, dated=True)).rstrip())
    if standing.is_archived and not output.as_json:
        output.line()
        output.line("The log has removed it: this is from the archive.", dim=True)
    is_stuck = standing.entry.status is SagaStatus.STUCK
    if not output.as_json and (is_stuck or any(map(has_stuck, children))):
        again = output.command_line("explain", saga_id)
        output.line()
        what = "Why it is stuck" if is_stuck else "What it waits for"
        output.line(f"{what}, and what you can do: {again}", dim=True)
    return Exit.ATTENTION if is_stuck else Exit.OK


@command("history")
@click.argument("saga_id")
@click.option(
    "--tracebacks", is_flag=True, help="Show those of errors that amends_tracebacks kept."
)
def show_history(output: Output, *, saga_id: str, tracebacks: bool) -> None:
    """Show what happened to a saga, in order; times are UTC.

    Each event has the time since the one before. With --json, one line for each: at, name, record, details, the traceback of
    an error among them, and after, in seconds.
    """
    events = read_history(output.app, saga_id)
    if output.as_json:
        for event, after in zip(events, spans(events), strict=True):
            output.json(event_json(event) | {"after": after})
        return
    columns = [
        Column("at"),
        Column("after", right=True),
        Column("event"),
        Column("record"),
        Column("details", may_drop=True),
    ]
    output.table(columns, [*_dated(events)])
    for line in chain.from_iterable(map(_traceback_lines, events if tracebacks else ())):
        output.line(line)


def _traceback_lines(event: Event) -> Iterator[Cell]:
    """Give the traceback of an event's error, if it has one."""
    error = event.details.get("error")
    if isinstance(error, dict) and error.get("traceback"):
        yield Cell("")
        yield Cell(f"{clock_time(event.at)}  {event.name}  {event.record}", {"dim": True})
        yield from map(Cell, error["traceback"].splitlines())


def news_since(told: Sequence[Event], history: Sequence[Event]) -> list[Event]:
    """List what is new since: events, and those that stand for more than before."""
    known = [*told, *[None] * len(history)]
    return [event for event, before in zip(history, known, strict=False) if event != before]


def _dated(events: list[Event]) -> Iterator[list[Cell]]:
    """Give a row for each event, and before the first one of a day its date."""
    day = ""
    for event, after in zip(events, spans(events), strict=True):
        if date(event.at) != day:
            day = date(event.at)
            yield [Cell(day, {"dim": True})]
        at, *rest = event_row(event)
        yield [at, Cell("" if after is None else duration(after)), *rest]


def spans(events: Sequence[Event]) -> Iterator[float | None]:
    """Yield for each event the seconds since the one before; None for the first, and where events that were folded are not in order."""
    before: Event | None = None
    for event in events:
        is_known = before is not None and before.first_at is None and event.first_at is None
        yield round(max(0.0, event.at - before.at), 3) if before and is_known else None
        before = event


def event_row(event: Event, *, dated: bool = False) -> list[Cell]:
    """Give the cells of an event; one that stands for several says how many."""
    at = f"{date(event.at)} {clock_time(event.at)}" if dated else clock_time(event.at)
    details = ", ".join(f"{name} {_detail(name, value)}" for name, value in event.details.items())
    if event.first_at is not None:
        since = f"{event.count:,} times since {date(event.first_at)} {clock_time(event.first_at)}"
        details = f"{since}, the last: {details}" if details else since
    return [Cell(at, {"dim": True}), Cell(event.name), Cell(event.record or ""), Cell(details)]


def _detail(name: str, value: Any) -> str:
    if name in ("wait", "queued"):
        return f"{value / 1000:g}s"
    if name == "until":
        return moment(value / 1000)
    if isinstance(value, dict) and {"type", "message"} <= value.keys():
        text = located(f"{value['type']}: {value['message']}", value.get("frame"))
    else:
        text = value if isinstance(value, str) else canonical_json(value)
    return " ".join(text.split())
