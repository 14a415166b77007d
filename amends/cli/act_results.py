"""The results of an act, saga by saga."""

from collections import Counter
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
_EXITS: Final = {
    Verdict.DONE: Exit.OK,
    Verdict.REFUSED: Exit.REFUSED,
    Verdict.UNKNOWN: Exit.UNKNOWN,
    Verdict.UNAVAILABLE: Exit.UNAVAILABLE,
    Verdict.NOT_TRIED: Exit.UNAVAILABLE,
}


def tell_results(output: Output, operation: Operation, results: Sequence[Result]) -> Exit:
    """Print what became of an act on each saga, and return the exit code: 0 only if all were done."""
    now = _statuses(output, results)
    done = [each.id for each in results if each.verdict is Verdict.DONE]
    paused = deadlines_of(output, done) if operation.act == "pause" else []
    if output.as_json:
        _print_json(output, operation, results, now, paused)
    elif len(results) == 1:
        _print_one(output, results[0], now)
    else:
        _print_many(output, results, now)
    if not output.as_json:
        tell_deadlines(output, paused)
    if not output.as_json and any(each.verdict is Verdict.UNAVAILABLE for each in results):
        option = "--id" if operation.act == "signal" else "--act-id"
        output.line(f"Repeat it with {option} {operation.act_id}: it is done once.", err=True)
    unsent = [each for each in results if not each.is_published]
    if unsent:
        click.secho(
            f"The broker is away: {len(unsent)} of them go on when a worker's sweep comes to them.",
            fg="yellow",
            err=True,
        )
    codes = {_EXITS[each.verdict] for each in results}
    if len(codes) == 1 and (len(results) == 1 or codes <= {Exit.OK, Exit.UNAVAILABLE}):
        return codes.pop()
    return Exit.ATTENTION


def _statuses(output: Output, results: Sequence[Result]) -> dict[str, SagaSummary | None]:
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
    counts = Counter(each.verdict for each in results)
    output.line(
        ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in counts.items())
    )


def _status(summary: SagaSummary) -> str:
    return f"{summary.status}, paused" if summary.paused else str(summary.status)


def _print_json(
    output: Output,
    operation: Operation,
    results: Sequence[Result],
    now: dict[str, SagaSummary | None],
    paused: Sequence[PausedSaga],
) -> None:
    left = {each.id: each.time_left for each in paused}
    document = [
        {
            "id": each.id,
            "result": each.verdict,
            "reason": each.reason,
            "published": each.is_published,
            "status": summary.status if (summary := now[each.id]) else None,
            **_signalled(operation, each),
            **({"deadline_in": left.get(each.id)} if operation.act == "pause" else {}),
        }
        for each in results
    ]
    signed = {name: text for name, text in operation.signed.items() if text}
    output.json({"act": operation.act, **signed, "results": document})


def _signalled(operation: Operation, result: Result) -> dict[str, Any]:
    """Give what the saga did with a signal; `signals` it has of the `wanted` ones, null where the signal ended its wait."""
    if operation.act != "signal":
        return {}
    signals, wanted = result.signals or (None, None)
    return {"signal": result.signalled, "signals": signals, "wanted": wanted}
