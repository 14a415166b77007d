"""Pages of sagas, and the sagas that wait for an operator."""

from collections.abc import Sequence
from typing import Any, Final

import click

from amends.cli.bulk.progress_line import progress_line
from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.filters import HOW, WHERE, at_most, find_page, is_given, options
from amends.cli.formatting import duration, state_cell, words_of
from amends.cli.json_documents import summary_json
from amends.cli.output import Output
from amends.cli.stage_text import some
from amends.cli.stuck.causes_text import causes_json, print_causes
from amends.cli.stuck.oversight_text import oversight_json, print_oversight
from amends.cli.table import Cell, Column
from amends.definition.states import SagaStatus
from amends.log.queries.all_clear import oversee
from amends.log.queries.cause_groups import STUCK, find_causes
from amends.log.queries.causes import error_of
from amends.log.queries.children import Waiting
from amends.log.queries.listing import Page, find_sagas
from amends.log.queries.query import Query
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
_TOLD: Final = Column("outcome, error or wait", may_drop=True)
_MOST_BELOW_CAUSES: Final = 10


@command("list")
@options(*HOW)
@click.option("--oldest-first", is_flag=True, help="Those first that are longest in their status.")
@_WHERE
def list_sagas(
    output: Output, *, statuses: tuple[str, ...], oldest_first: bool, **filters: Any
) -> Exit:
    """List sagas, those first that moved last.

    Exit code 1 if it stopped before the page was full or the sagas were all looked at: then it says where to go on. With --where those first that were started last. With --json one document: sagas, after (for the next page, null at the end), looked_at, is_cut.
    """
    wanted = frozenset(map(SagaStatus, statuses)) or frozenset(SagaStatus)
    page = _find(output, statuses=wanted, newest_first=not oldest_first, **filters)
    is_empty = not page.summaries and output.note_if_empty()
    if output.as_json:
        output.json(_document(page))
    elif page.summaries:
        rows = [summary_row(summary) for summary in page.summaries]
        output.table([*_WHO, Column("status"), *_WHERE_IT_STANDS, _TOLD], rows)
        _print_rest(output, page)
    else:
        if not is_empty:
            output.line("No saga that was looked at fits." if page.is_cut else "No saga fits.")
        _print_rest(output, page)
    return Exit.ATTENTION if page.is_cut else Exit.OK


@command("stuck")
@_WHERE
def list_stuck(output: Output, *, limit: int, after: str | None, **filters: Any) -> Exit:
    """List sagas that wait for an operator, the oldest first; exit code 1 if there is any.

    Where there are several, their causes come first, each with the command that acts on all its sagas. After the list come the
    sagas that wait for those in it, as their parents. The exit code is also 1 where that is no all-clear: the log never had a saga, or no worker is alive. With --json
    as `list`, and waiting: these parents, each with the ids that it waits_for; total and causes; workers, paused, log_is_empty.
    """
    page = _find(output, limit=limit, after=after, statuses=STUCK.statuses, **filters)
    with progress_line() as line:
        query = _query(statuses=STUCK.statuses, **filters)
        causes = find_causes(output.app, query, told=lambda n: line.show(f"{n:,} read so far"))
    oversight = oversee(output.app)
    is_empty = not page.summaries and output.note_if_empty()
    waiting = output.log.children.read_waiting(page.summaries)
    if output.as_json:
        document = _document(page, waiting=waiting)
        output.json(document | causes_json(output, causes) | oversight_json(oversight))
    elif page.summaries:
        has_causes = causes.total > 1 and after is None
        if has_causes:
            print_causes(output, causes)
        _print_stuck(output, page, waiting, has_causes=has_causes)
    elif not is_empty:
        any_stuck = find_sagas(output.app, STUCK, limit=1).summaries
        style = "green" if oversight.is_clear and not any_stuck else None
        output.line(f"No saga {'that fits ' if any_stuck else ''}is stuck.", fg=style)
        _print_rest(output, page)
    print_oversight(output, oversight)
    needs_nobody = oversight.is_clear and not (causes.total or page.after or causes.is_cut)
    return Exit.OK if needs_nobody else Exit.ATTENTION


def _print_stuck(
    output: Output, page: Page, waiting: Sequence[Waiting], *, has_causes: bool
) -> None:
    """Print the sagas of a page; below causes without their errors, and unless --limit says how many the first alone."""
    is_short = has_causes and not is_given("limit")
    shown = page.summaries[:_MOST_BELOW_CAUSES] if is_short else page.summaries
    columns = [*_WHO, *_WHERE_IT_STANDS, Column("last error", may_drop=True)]
    rows = [_stuck_row(summary) for summary in shown]
    if is_short and not waiting:
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    output.table(columns, [*rows, *(_row_that_waits(*each) for each in waiting)])
    if is_short and (len(shown) < len(page.summaries) or page.after):
        output.line("These are the first. --limit 100 lists so many, with their errors.", dim=True)
    else:
        _print_rest(output, page)
    again = output.command_line("explain", page.summaries[0].id)
    output.line(f"Why it is stuck, and what you can do: {again}", dim=True)


def _query(*, saga_id: str | None, **query: Any) -> Query:
    return Query(id=saga_id, **query)


def _find(output: Output, *, limit: int, after: str | None, **query: Any) -> Page:
    return find_page(output, _query(**query), limit=limit, after=after)


def summary_row(summary: SagaSummary) -> list[Cell | str]:
    """Give the row of a saga: its id, name, status, time in that, step, attempts, and outcome, error or wait."""
    told = summary.outcome if summary.record is None else _error(summary) or summary.outcome
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
        _error(summary) or "",
    ]


def _row_that_waits(summary: SagaSummary, causes: Sequence[str]) -> list[Cell | str]:
    """Give the row of a saga that is not stuck itself: children of it are."""
    *row, _, _ = _stuck_row(summary)
    return [*row, "", f"waits for {some(causes)}"]


def _error(summary: SagaSummary) -> str | None:
    """Say what went wrong last, and where that was raised."""
    text = error_of(summary)
    return text and located(text, None if summary.is_parked else summary.frame)


def _print_rest(output: Output, page: Page) -> None:
    if page.is_cut:
        output.line(f"Looked at {page.looked_at:,} sagas, and stopped.", fg="yellow")
    if page.after:
        output.line(f"Go on with --after {page.after}", dim=True)


def _document(page: Page, **waiting: Sequence[Waiting]) -> dict[str, Any]:
    also = {
        name: [{**summary_json(summary), "waits_for": causes} for summary, causes in each]
        for name, each in waiting.items()
    }
    return {
        "sagas": [summary_json(summary) for summary in page.summaries],
        **also,
        "after": page.after,
        "looked_at": page.looked_at,
        "is_cut": page.is_cut,
    }
