"""The results of an act, saga by saga."""

from collections.abc import Sequence
from typing import Any, Final

import click

from amends.cli.exit_codes import Exit
from amends.cli.formatting import state_cell
from amends.cli.output import Output
from amends.cli.pauses.text import deadlines_of, tell_deadlines
from amends.cli.table import Cell, Column
from amends.errors import ConfigurationError, LogUnavailable
from amends.log.queries.listing import store_of
from amends.log.queries.paused import PausedSaga
from amends.log.queries.summary import SagaSummaries, SagaSummary
from amends.saga.bulk import Operation, Result, Verdict

_STYLES: Final[dict[str, dict[str, Any]]] = {"done": {"fg": "green"}, "refused": {"fg": "yellow"}}
MOST_TOLD: Final = 100
"""Results that are told one by one."""
_MOST_FAILED: Final = 20
_UNTOLD: Final = frozenset({Verdict.DONE, Verdict.NOT_TRIED})
_EXITS: Final = {
    Verdict.DONE: Exit.OK,
    Verdict.REFUSED: Exit.REFUSED,
    Verdict.UNKNOWN: Exit.UNKNOWN,
    Verdict.UNAVAILABLE: Exit.UNAVAILABLE,
    Verdict.NOT_TRIED: Exit.UNAVAILABLE,
}


def tell_results(output: Output, operation: Operation, results: Sequence[Result]) -> None:
    """Print what became of an act on each saga; of many only those on which it was not done."""
    if len(results) == 1:
        _print_one(output, results[0], statuses_of(output, results))
    elif len(results) <= MOST_TOLD:
        _print_many(output, results, statuses_of(output, results))
    else:
        failed = [each for each in results if each.verdict not in _UNTOLD]
        if failed:
            _print_many(output, failed[:_MOST_FAILED], statuses_of(output, failed[:_MOST_FAILED]))
        if len(failed) > _MOST_FAILED:
            output.line(f"... and {len(failed) - _MOST_FAILED:,} more that were not done")
    if operation.act == "pause":
        tell_deadlines(output, _deadlines(output, results))
    unsent = sum(not each.is_published for each in results)
    if unsent:
        click.secho(
            f"The broker is away: {unsent:,} of them go on when a worker's sweep comes to them.",
            fg="yellow",
            err=True,
        )


def exit_of(results: Sequence[Result]) -> Exit:
    """Return the exit code: 0 only if all were done, and of one what became of it."""
    codes = {_EXITS[each.verdict] for each in results}
    if len(codes) == 1 and (len(results) == 1 or codes <= {Exit.OK, Exit.UNAVAILABLE}):
        return codes.pop()
    return Exit.ATTENTION


def statuses_of(output: Output, results: Sequence[Result]) -> dict[str, SagaSummary | None]:
    """Look where they are now."""
    ids = [each.id for each in results]
    try:
        return dict(zip(ids, SagaSummaries(store_of(output.app)).summarize_sagas(ids), strict=True))
    except (LogUnavailable, ConfigurationError):
        return dict.fromkeys(ids)


def _print_one(output: Output, result: Result, now: dict[str, SagaSummary | None]) -> None:
    summary = now[result.id]
    if result.verdict is not Verdict.DONE:
        verdict = Cell(result.verdict.replace("_", " "), {"fg": "red", "bold": True})
        output.line(f"{result.id}: ", verdict, f": {result.reason}", err=True)
        return
    where = f" It is {_status(summary)} now." if summary else ""
    output.line(f"{result.id}: ", Cell(_done(result), {"fg": "green"}), f".{where}")


def _done(result: Result) -> str:
    """Say what was done: of a signal, what the saga did with it."""
    if result.signalled is None:
        return str(result.verdict)
    if result.signals is None:
        return str(result.signalled)
    return f"{result.signalled}, {result.signals[0]} of {result.signals[1]}"


def _print_many(
    output: Output, results: Sequence[Result], now: dict[str, SagaSummary | None]
) -> None:
    columns: list[Column | str] = [Column("id", may_shrink=True), "result", "now"]
    if any(each.reason for each in results):
        columns.append(Column("why not", may_shrink=True))
    rows: list[list[Cell | str]] = []
    for each in results:
        summary, verdict = now[each.id], each.verdict.replace("_", " ")
        status = state_cell(summary.status, _status(summary)) if summary else ""
        told = Cell(_done(each) if each.signalled else verdict, _STYLES.get(verdict, {"fg": "red"}))
        rows.append([each.id, told, status, each.reason or ""])
    output.table(columns, [row[: len(columns)] for row in rows])


def _status(summary: SagaSummary) -> str:
    return f"{summary.status}, paused" if summary.paused else str(summary.status)


def _deadlines(output: Output, results: Sequence[Result]) -> Sequence[PausedSaga]:
    """Read the deadlines of sagas that were paused; none if these are many."""
    done = [each.id for each in results if each.verdict is Verdict.DONE]
    return deadlines_of(output, done) if len(results) <= MOST_TOLD else ()


def results_json(output: Output, operation: Operation, results: Sequence[Result]) -> dict[str, Any]:
    """Give an act with its results; of many without where these sagas are now."""
    now = statuses_of(output, results) if len(results) <= MOST_TOLD else {}
    is_pause = operation.act == "pause"
    left = {each.id: each.time_left for each in _deadlines(output, results)} if is_pause else {}
    document = [
        {
            "id": each.id,
            "result": each.verdict,
            "reason": each.reason,
            "published": each.is_published,
            "status": summary.status if (summary := now.get(each.id)) else None,
            **_signalled(operation, each),
            **({"deadline_in": left.get(each.id)} if is_pause else {}),
        }
        for each in results
    ]
    signed = {name: text for name, text in operation.signed.items() if text}
    return {"act": operation.act, **signed, "results": document}


def _signalled(operation: Operation, result: Result) -> dict[str, Any]:
    """Give what the saga did with a signal; `signals` it has of the `wanted` ones, null where the signal ended its wait."""
    if operation.act != "signal":
        return {}
    signals, wanted = result.signals or (None, None)
    return {"signal": result.signalled, "signals": signals, "wanted": wanted}
