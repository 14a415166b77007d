"""The acts of an operator on one saga or many: retry, skip, cancel, pause and resume."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click

from amends.cli.act_results import tell_results
from amends.cli.attribution import can_be_asked, name_of, reason_of, signed
from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.filters import HOW, WHERE, at_most, options
from amends.cli.formatting import duration, state_cell
from amends.cli.json_documents import summary_json
from amends.cli.output import Output
from amends.cli.table import Cell, Column
from amends.cli.targets import Targets, targets_of
from amends.log.control import check_act_id, new_act_id
from amends.log.queries.summary import SagaSummary
from amends.saga.bulk import ActName, Operation, perform

Function = TypeVar("Function", bound=Callable[..., Any])

_MOST: Final = 100
_SHOWN: Final = 10


def _checked_id(_: click.Context, option: click.Parameter, act_id: str | None) -> str | None:
    try:
        return None if act_id is None else check_act_id(act_id)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from error


def _on_sagas(function: Function) -> Function:
    """Give an act its arguments and options."""
    decorated: Function = options(
        click.argument("saga_ids", nargs=-1, metavar="[SAGA_ID]... | -"),
        signed,
        click.option(
            "--seen",
            type=click.IntRange(1),
            metavar="EVENTS",
            help="Refuse it unless the saga's history still has so many events, as `explain` said.",
        ),
        click.option(
            "--act-id",
            metavar="ID",
            callback=_checked_id,
            help="Repeat an act that the log did not answer, under the id that its error gave.",
        ),
        *HOW,
        *WHERE,
        at_most(_MOST),
        click.option("--dry-run", is_flag=True, help="Only list the sagas that are meant."),
        click.option(
            "--yes", is_flag=True, help="Do not ask before acting on what a filter found."
        ),
    )(function)
    return decorated


@command("retry")
@_on_sagas
def retry_sagas(output: Output, **given: Any) -> Exit:
    """Let sagas try again now: each undo that failed for good, and what comes next.

    Name them, or - for ids on standard input, or say by options which: then those that are stuck, if no --status
    is given. Exit code 0 only if all were done.
    """
    return _act(output, "retry", **given)


@command("skip")
@_on_sagas
@click.argument("skipped", metavar="STEP")
@click.option("--output", "result", metavar="JSON", help="What the step would have returned.")
def skip_step(output: Output, *, skipped: str, result: str | None, **given: Any) -> Exit:
    """Pass over a step that you did, or undid, by hand.

    STEP is a step's name, or the path of a record. Name the sagas before it, or - for ids on standard input, or say by
    options which: then those that are stuck at this step. Exit code 0 only if all were done.
    """
    output.app.loader.import_default_modules()  # its output is held to the activity's model
    if not given["saga_ids"]:
        given["step"] = given["step"] or skipped
    return _act(output, "skip", skipped=skipped, result=_parsed(result), **given)


@command("cancel")
@_on_sagas
def cancel_sagas(output: Output, **given: Any) -> Exit:
    """Cancel sagas: they begin nothing more, and undo what was done.

    Name them, or - for ids on standard input, or say by options which: then those that go forward, if no --status
    is given. Exit code 0 only if all were done.
    """
    return _act(output, "cancel", **given)


@command("pause")
@_on_sagas
def pause_sagas(output: Output, **given: Any) -> Exit:
    """Let sagas begin nothing more until they are resumed; what runs may still finish.

    Name them, or - for ids on standard input, or say by options which. Exit code 0 only if all were done.
    """
    return _act(output, "pause", **given)


@command("resume")
@_on_sagas
def resume_sagas(output: Output, **given: Any) -> Exit:
    """Let paused sagas go on.

    Name them, or - for ids on standard input, or say by options which. Exit code 0 only if all were done.
    """
    return _act(output, "resume", **given)


def _act(  # noqa: PLR0913 - a command's options
    output: Output,
    act: ActName,
    *,
    saga_ids: Sequence[str],
    why: str | None,
    by: str | None,
    seen: int | None,
    act_id: str | None,
    yes: bool,
    dry_run: bool,
    limit: int,
    skipped: str = "",
    result: Any = None,
    **query: Any,
) -> Exit:
    found = targets_of(output, act, saga_ids, limit, query)
    if seen is not None and (found.filtered or len(found.summaries) != 1):
        raise click.UsageError("--seen is for one saga, which is named")
    if dry_run:
        return _list(output, act, found)
    if not found.summaries:
        if not output.note_if_empty():
            output.line("No saga fits.")
        return Exit.OK
    is_shown = _show(output, act, found, yes=yes, asks_why=why is None)
    operation = Operation(
        act=act,
        by=name_of(by),
        why=reason_of(why),
        step=skipped,
        output=result,
        act_id=act_id or new_act_id(),
    )
    targets = found.targets(as_seen=is_shown, events=seen)
    return tell_results(output, operation, list(perform(operation, targets)))


def _show(output: Output, act: ActName, found: Targets, *, yes: bool, asks_why: bool) -> bool:
    """Show what is acted on, where a person is asked; tell whether it was looked at."""
    if not found.filtered:
        if asks_why and can_be_asked():
            _print_summaries(output, found, err=True)
            return True
        return False
    if yes:
        return True
    if not can_be_asked():
        raise click.UsageError(
            f"{len(found.summaries)} sagas fit; --yes acts on them, and --dry-run lists them"
        )
    _print_summaries(output, found, err=True)
    count = len(found.summaries)
    click.confirm(
        f"{act.capitalize()} {'this saga' if count == 1 else f'these {count} sagas'}?",
        abort=True,
        err=True,
    )
    return True


def _list(output: Output, act: ActName, found: Targets) -> Exit:
    if output.as_json:
        sagas = [
            summary_json(summary) if summary else {"id": saga_id, "status": None}
            for saga_id, summary in found.summaries.items()
        ]
        output.json({"act": act, "sagas": sagas, "has_more": found.has_more})
        return Exit.OK
    _print_summaries(output, found, most=len(found.summaries))
    return Exit.OK


def _print_summaries(
    output: Output, found: Targets, *, most: int = _SHOWN, err: bool = False
) -> None:
    columns: list[Column | str] = [Column("id", may_shrink=True), "status"]
    columns += [Column("for", right=True), "at", Column("last error", may_shrink=True)]
    rows = [_row(saga_id, summary) for saga_id, summary in list(found.summaries.items())[:most]]
    output.table(columns, rows, err=err)
    count = len(found.summaries)
    if count > most:
        click.echo(f"... and {count - most} more", err=err)
    if found.has_more:
        click.echo(f"More fit: these are the first {count}, as --limit says.", err=err)


def _row(saga_id: str, summary: SagaSummary | None) -> list[Cell | str]:
    if summary is None:
        return [saga_id, "there is no such saga"]
    paused = f"{summary.status} (paused)" if summary.paused else None
    why = summary.error or summary.reason or ""
    at = summary.record or ""
    return [
        saga_id,
        state_cell(summary.status, paused),
        duration(summary.age),
        at,
        " ".join(why.split()),
    ]


def _parsed(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}: it is no JSON", param_hint="--output") from error
