"""One saga: where it is, and what happened to it."""

from typing import Any

import click

from amends.cli.frame import command
from amends.cli.output import Output
from amends.cli.table import Cell, Column
from amends.cli.wording import moment
from amends.events import Event
from amends.payload import canonical_json, error_text


@command("history")
@click.argument("saga_id")
def show_history(output: Output, saga_id: str) -> None:
    """Show what happened to a saga, in order.

    With --json, one line for each event: at, name, record and details.
    """
    events = output.log.read_history(saga_id)
    if output.as_json:
        for event in events:
            output.json(
                {
                    "at": event.at,
                    "name": event.name,
                    "record": event.record,
                    "details": dict(event.details),
                }
            )
        return
    columns: list[Column | str] = ["at", "event", "record", Column("details", may_shrink=True)]
    output.table(columns, [_event_row(event) for event in events])


def _event_row(event: Event) -> list[Cell | str]:
    return [
        Cell(moment(event.at), {"dim": True}),
        event.name,
        event.record or "",
        ", ".join(f"{name} {_detail(value)}" for name, value in event.details.items()),
    ]


def _detail(value: Any) -> str:
    if isinstance(value, dict) and "message" in value:
        return error_text(canonical_json(value)) or ""
    return value if isinstance(value, str) else canonical_json(value)
