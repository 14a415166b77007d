"""The acts of an operator on one saga or many: retry, skip, cancel, pause, resume, and signals."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click

from amends.cli.attribution import name_of, reason_of, signed
from amends.cli.bulk.running import carry_out
from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.filters import (
    HOW,
    ID,
    WHERE,
    at_most,
    given_options,
    is_given,
    options,
    rate_of,
)
from amends.cli.output import Output
from amends.cli.targets import Selection, list_targets, show_targets, targets_of
from amends.log.control import check_act_id, check_signal_id, new_act_id
from amends.operations.bulk_run import BulkRun
from amends.saga.bulk import ActName, Operation

Function = TypeVar("Function", bound=Callable[..., Any])

_MOST: Final = 100
_SELECTING: Final = ("saga", "where", "outcome", "statuses", "error", "cause")


def _checked(check: Callable[[str], str]) -> Callable[..., str | None]:
    """Make the callback of an option whose text is to pass a check."""

    def callback(_: click.Context, option: click.Parameter, text: str | None) -> str | None:
        try:
            return None if text is None else check(text)
        except ValueError as error:
            raise click.BadParameter(str(error), param=option) from error

    return callback


_SAGAS: Final = click.argument("saga_ids", nargs=-1, metavar="[SAGA_ID]... | -")
_WHICH: Final = (
    *HOW,
    *WHERE,
    at_most(_MOST),
    click.option("--all", "takes_all", is_flag=True, help="All that fit, however many."),
    click.option("--after", metavar="PLACE", help="Go on where an act before says that it ended."),
    click.option(
        "--rate",
        type=rate_of,
        metavar="N/s",
        help="So many at most in a second, or minute: 50/s, 600/m.",
    ),
    click.option("--dry-run", is_flag=True, help="Only list the sagas that are meant."),
    click.option("--yes", is_flag=True, help="Do not ask before acting on what a filter found."),
)


def _on_sagas(function: Function) -> Function:
    """Give an act its arguments and options."""
    decorated: Function = options(
        _SAGAS,
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
            callback=_checked(check_act_id),
            help="Repeat an act that the log did not answer, under the id that its error gave.",
        ),
        *_WHICH,
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
    return _act(output, "skip", skipped=skipped, result=_parsed(result, "--output"), **given)


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


@command("signal")
@options(
    _SAGAS,
    click.argument("name", metavar="NAME"),
    click.option(
        "--data", default="{}", metavar="JSON", help="What the signal says; {} if not given."
    ),
    click.option(
        "--id",
        "act_id",
        metavar="ID",
        callback=_checked(check_signal_id),
        help="The same id is the same signal, and gets its first answer; random if not given.",
    ),
    click.option(
        "--by",
        metavar="WHO",
        help="Who gives it, which counts once; if it is not given, who amends_operator says, or your login name.",
    ),
    *(each for each in _WHICH if each is not ID),
)
def signal_sagas(output: Output, *, name: str, data: str, **given: Any) -> Exit:
    """Give sagas a signal that they wait for, or will wait for.

    NAME is that of the wait. Name the sagas before it, or - for ids on standard input, or say by options which: then those
    that stand at this wait. It says whether each was taken, and ended the wait; counted, for more are needed; or kept, until
    the wait begins. Exit code 0 only if all were.
    """
    output.app.loader.import_default_modules()  # it is held to the wait's model
    if any(given[each] for each in _SELECTING):
        given["step"] = given["step"] or name
    result = _parsed(data, "--data")
    return _act(output, "signal", skipped=name, result=result, why="", seen=None, **given)


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
    takes_all: bool,
    after: str | None,
    rate: float | None,
    skipped: str = "",
    result: Any = None,
    **query: Any,
) -> Exit:
    if takes_all and is_given("limit") and not dry_run:
        raise click.UsageError("--all and --limit: which of the two?")
    selection = Selection(limit=limit, takes_all=takes_all, after=after)
    found = targets_of(output, act, saga_ids, selection, query)
    if seen is not None and (found.query or len(found.summaries) != 1):
        raise click.UsageError("--seen is for one saga, which is named")
    if dry_run:
        return list_targets(output, act, found)
    if not found.matched:
        if not output.note_if_empty():
            output.line("No saga fits.")
        return Exit.OK
    is_shown = show_targets(output, act, found, yes=yes, asks_why=why is None)
    operation = Operation(
        act=act,
        by=name_of(by),
        why="" if act == "signal" else reason_of(why),
        step=skipped,
        output=result,
        act_id=act_id or new_act_id(),
        filter=given_options(query) if found.query else {},
    )
    source = found.source(output, act, as_seen=is_shown, events=seen)
    run = BulkRun(
        operation=operation, source=source, rate=rate, matched=found.matched, app=output.app
    )
    return carry_out(output, run, found)


def _parsed(text: str | None, option: str) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}: it is no JSON", param_hint=option) from error
