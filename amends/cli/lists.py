"""Pages of sagas, and the sagas that wait for an operator."""

from collections.abc import Sequence
from typing import Any, Final

import click

from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.filters import HOW, WHERE, at_most, find_page, options
from amends.cli.formatting import duration, state_cell, words_of
from amends.cli.json_documents import summary_json
from amends.cli.output import Output
from amends.cli.stage_text import some
from amends.cli.table import Cell, Column
from amends.definition.states import SagaStatus
from amends.log.queries.children import Waiting
from amends.log.queries.listing import Page, Query, find_sagas
from amends.log.queries.summary import SagaSummary
from amends.log.record import located

_WHERE: Final = options(
    *WHERE,
    at_most(50),
    click.option("--after", metavar="PLACE", help="Go on where the page before says."),
)
_WHO: Final = (Column("id", may_shrink=True), Column("saga", may_shrink=True))
_WHERE_IT_STANDS: Final = (
    Column("for", right=True),
    Column("step", may_shrink=True),
    Column("attempts", right=True),
)
_STUCK: Final = Query(statuses=frozenset({SagaStatus.STUCK}))


@command("list")
@options(*HOW)
@click.option("--oldest-first", is_flag=True, help="Those first that are longest in their status.")
@_WHERE
def list_sagas(
    output: Output, *, statuses: tuple[str, ...], oldest_first: bool, **filters: Any
) -> None:
    """List sagas, those first that moved last.

    With --where those first that were started last. With --json one document: sagas, after (for the next page, null at the end), looked_at, is_cut.
    """
    wanted = frozenset(map(SagaStatus, statuses)) or frozenset(SagaStatus)
    page = _find(output, statuses=wanted, newest_first=not oldest_first, **filters)
    is_empty = not page.summaries and output.note_if_empty()
    if output.as_json:
        return _print_json(output, page)
    if not page.summaries:
        if not is_empty:
            output.line("No saga fits.")
        _print_rest(output, page)
        return None
    columns = [
        *_WHO,
        Column("status"),
        *_WHERE_IT_STANDS,
        Column("outcome, error or wait", may_drop=True),
    ]
    output.table(columns, [summary_row(summary) for summary in page.summaries])
    _print_rest(output, page)
    return None


@command("stuck")
@_WHERE
def list_stuck(output: Output, **filters: Any) -> Exit:
    """List sagas that wait for an operator, the oldest first; exit code 1 if there is any.

    After them come those that wait for them, as their parents. With --json as `list`, and waiting: these parents, each with
    the ids that it waits_for.
    """
    page = _find(output, statuses=_STUCK.statuses, **filters)
    code = Exit.ATTENTION if page.summaries or page.after else Exit.OK
    is_empty = not page.summaries and output.note_if_empty()
    waiting = output.log.children.read_waiting(page.summaries)
    if output.as_json:
        _print_json(output, page, waiting=waiting)
    elif is_empty:
        pass
    elif not page.summaries:
        any_stuck = find_sagas(output.app, _STUCK, limit=1).summaries
        output.line(f"No saga {'that fits ' if any_stuck else ''}is stuck.", fg="green")
        _print_rest(output, page)
    else:
        columns = [*_WHO, *_WHERE_IT_STANDS, Column("last error", may_drop=True)]
        rows = [_stuck_row(summary) for summary in page.summaries]
        output.table(columns, [*rows, *(_row_that_waits(*each) for each in waiting)])
        _print_rest(output, page)
        again = output.command_line("explain", page.summaries[0].id)
        output.line(f"Why it is stuck, and what you can do: {again}", dim=True)
    return code


def _find(
    output: Output, *, limit: int, after: str | None, saga_id: str | None, **query: Any
) -> Page:
    try:
        return find_page(output, Query(id=saga_id, **query), limit=limit, after=after)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--after") from error


def summary_row(summary: SagaSummary) -> list[Cell | str]:
    """Give the row of a saga: its id, name, status, time in that, step, attempts, and outcome, error or wait."""
    told = summary.outcome if summary.record is None else _why(summary) or summary.outcome
    if summary.child is not None:
        told = f"waits for {summary.child}"
    elif summary.status is SagaStatus.PENDING and summary.wait:
        told = f"begins in {duration(summary.wait)}"
    elif summary.wanted is not None:
        told = ", ".join(["waits", *words_of(summary.wanted, summary.signals, summary.wait)])
    return [
        summary.id,
        summary.saga,
        state_cell(summary.status, f"{summary.status} (paused)" if summary.paused else None),
        duration(summary.age),
        summary.record or "",
        "" if summary.record is None or summary.state == "waiting" else str(summary.attempts),
        told or "",
    ]


def _stuck_row(summary: SagaSummary) -> list[Cell | str]:
    tries = str(summary.attempts)
    return [
        summary.id,
        summary.saga,
        duration(summary.age),
        summary.record or "",
        tries,
        _why(summary) or "",
    ]


def _row_that_waits(summary: SagaSummary, causes: Sequence[str]) -> list[Cell | str]:
    """Give the row of a saga that is not stuck itself: children of it are."""
    *row, _, _ = _stuck_row(summary)
    return [*row, "", f"waits for {some(causes)}"]


def _why(summary: SagaSummary) -> str | None:
    """Say what went wrong last on one line; of a saga that is parked, why."""
    parked = summary.reason is not None and summary.state != "stuck"
    if parked or summary.error is None:
        return summary.reason and " ".join(summary.reason.split()) if parked else None
    return located(summary.error, summary.frame)


def _print_rest(output: Output, page: Page) -> None:
    if page.is_cut:
        output.line(f"Looked at {page.looked_at:,} sagas, and stopped.", fg="yellow")
    if page.after:
        output.line(f"Go on with --after {page.after}", dim=True)


def _print_json(output: Output, page: Page, **waiting: Sequence[Waiting]) -> None:
    also = {
        name: [{**summary_json(summary), "waits_for": causes} for summary, causes in each]
        for name, each in waiting.items()
    }
    output.json(
        {
            "sagas": [summary_json(summary) for summary in page.summaries],
            **also,
            "after": page.after,
            "looked_at": page.looked_at,
            "is_cut": page.is_cut,
        }
    )
