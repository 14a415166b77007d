"""Sagas by status and step, and the living workers."""

from dataclasses import asdict
from typing import Any, Final

import click

from amends.cli.command import command
from amends.cli.formatting import duration, state_cell
from amends.cli.output import Output
from amends.cli.pauses.text import paused_json, tell_paused
from amends.cli.table import Cell, Column
from amends.definition.states import ENDED, LIVE, SagaStatus
from amends.log.queries.census import Census, take_census
from amends.outbox.backlog import OutboxState, read_outbox

_LATE: Final = 60.0  # seconds after which somebody should have swept


@command("stats")
@click.option(
    "--most",
    type=click.IntRange(1, 10_000),
    default=500,
    show_default=True,
    help="Look at so many sagas of each status for where they stand.",
)
def show_stats(output: Output, *, most: int) -> None:
    """Count sagas by status and by the step they stand at, and show who works on them."""
    census, outbox = take_census(output.app, most=most), read_outbox(output.app)
    if not census.counts:
        output.note_if_empty()
    if output.as_json:
        output.json({**_document(census), "outbox": asdict(outbox)})
        return
    _print_counts(output, census)
    _print_standing(output, census)
    _print_work(output, census)
    _print_outbox(output, outbox)


def _print_counts(output: Output, census: Census) -> None:
    statuses = [*LIVE, *(status for status in SagaStatus if status in ENDED)]
    columns = [Column("saga"), *(Column(status, right=True) for status in statuses)]
    rows: list[list[Cell | str]] = [
        [saga, *(_count(census.counts.get((saga, status), 0), status) for status in statuses)]
        for saga in sorted({saga for saga, _ in census.counts})
    ]
    oldest = [_oldest(census, status) for status in LIVE]
    output.table(columns, [*rows, [Cell("the oldest for", {"dim": True}), *oldest]])


def _print_standing(output: Output, census: Census) -> None:
    if not census.standing:
        return
    output.line()
    columns = [
        Column("they stand at", may_shrink=True),
        Column("saga", may_shrink=True),
        Column("status"),
        Column("sagas", right=True),
    ]
    ranked = sorted(
        census.standing.items(),
        key=lambda item: (item[0][0] is not SagaStatus.STUCK, -item[1], item[0]),
    )
    rows: list[list[Cell | str]] = [
        [record, saga, state_cell(at), f"{n:,}", f"{census.waiting.get((at, saga, record), 0):,}"]
        for (at, saga, record), n in ranked
    ]
    if any(census.waiting.values()):
        columns.append(Column("of these wait", right=True))
    output.table(columns, [row[: len(columns)] for row in rows])
    if census.is_cut:
        text = f"Of each status the {census.most:,} that are there longest; --most looks at more."
        output.line(text, dim=True)


def _print_work(output: Output, census: Census) -> None:
    output.line()
    readings, lag = census.readings, census.readings.sweep_lag
    since = f", the first since {duration(lag)}" if readings.due else ""
    output.line(f"{readings.due:,} due for a sweep{since}", fg="red" if lag > _LATE else None)
    if readings.waiting:
        output.line(f"{readings.waiting:,} waiting for a signal or a time, not among the oldest")
    tell_paused(output, census.paused)
    if not census.workers:
        output.line(
            "No worker is heard of: nothing goes on until one is started, or can write to the saga log.",
            fg="red",
        )
        return
    names = sorted(beat.node or "(unnamed)" for beat in census.workers)
    some = "1 worker is" if len(names) == 1 else f"{len(names)} workers are"
    output.line(f"{some} alive: {', '.join(names)}")


def _print_outbox(output: Output, outbox: OutboxState) -> None:
    if outbox.reason:
        output.line(f"The outbox cannot be read: {outbox.reason}", fg="red")
    if (found := outbox.backlog) is None:
        return
    since = f", the first since {duration(found.oldest_waiting)}" if found.waiting else ""
    style = "red" if found.oldest_waiting > _LATE else None
    output.line(f"{found.waiting:,} waiting in the outbox{since}", fg=style)
    if found.failing:
        text = f"{found.failing:,} failing in the outbox: see `saga doctor`"
        output.line(text, fg="red")


def _count(count: int, status: SagaStatus) -> Cell:
    if not count:
        return Cell("-", {"dim": True})
    return state_cell(status, f"{count:,}") if status is SagaStatus.STUCK else Cell(f"{count:,}")


def _oldest(census: Census, status: SagaStatus) -> Cell:
    age = census.readings.oldest[status]
    return Cell(duration(age) if census.total(status) else "-", {"dim": True})


def _document(census: Census) -> dict[str, Any]:
    readings = census.readings
    return {
        "sagas": [
            {"saga": saga, "status": status, "count": count}
            for (saga, status), count in sorted(census.counts.items())
        ],
        "oldest": {
            status: round(readings.oldest[status], 3) if census.total(status) else None
            for status in LIVE
        },
        "standing": [
            {
                "saga": saga,
                "status": status,
                "record": record,
                "count": count,
                "waiting": census.waiting.get((status, saga, record), 0),
            }
            for (status, saga, record), count in sorted(census.standing.items())
        ],
        "standing_is_cut": census.is_cut,
        "waiting": readings.waiting,
        "paused": paused_json(census.paused),
        "due": readings.due,
        "sweep_lag": round(readings.sweep_lag, 3),
        "workers": [
            {"node": beat.node, "age": round(beat.age, 3), "processes": len(beat.pids)}
            for beat in census.workers
        ],
    }
