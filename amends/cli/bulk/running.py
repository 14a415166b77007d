"""An act on sagas is carried out, with its progress, and what became of it is told."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amends.cli.act_results import exit_of, results_json, tell_results
from amends.cli.bulk.interrupt import stopped_by_ctrl_c
from amends.cli.bulk.progress_line import counts_text, progress_line
from amends.cli.exit_codes import Exit
from amends.cli.output import Output
from amends.cli.targets import Targets
from amends.operations.bulk_run import BulkRun, Progress
from amends.saga.bulk import Operation, Result, Verdict


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an act on sagas ended."""

    results: Sequence[Result]
    counts: Mapping[Verdict, int]
    untried: int  #: Sagas that fit and were not acted on.
    after: str | None  #: Place to go on from; None if nothing is left, or from where the act began.
    is_stopped: bool  #: By Ctrl-C, before its end.
    reason: str | None  #: Why the log ended it; None if it did not.

    @property
    def is_whole(self) -> bool:
        """Whether it came to the end of what it was for."""
        return not (self.is_stopped or self.reason)


def carry_out(output: Output, run: BulkRun, found: Targets) -> Exit:
    """Carry an act out, tell what became of it, and return the exit code."""
    ending = _ending(found, *_run(run, found))
    if output.as_json:
        _print_json(output, run.operation, found, ending)
    else:
        _print(output, run.operation, found, ending)
    if ending.is_stopped:
        return Exit.INTERRUPTED
    if ending.reason and not ending.counts.get(Verdict.DONE):
        return Exit.UNAVAILABLE
    return Exit.ATTENTION if ending.untried else exit_of(ending.results)


def _run(run: BulkRun, found: Targets) -> tuple[list[Result], Progress | None]:
    """Carry an act out. Returns the results, and how far it came; None if it was stopped before it began."""
    total = found.matched if found.takes_all else len(found.summaries)
    results: list[Result] = []
    last = None
    with progress_line() as line, stopped_by_ctrl_c(run.stop):
        for last in run:
            results += last.results
            line.show(f"{len(results):,} of {total:,}: {counts_text(last.counts)}")
    return results, last


def _ending(found: Targets, results: list[Result], last: Progress | None) -> Ending:
    is_finished, reason = (last.is_finished, last.reason) if last else (False, None)
    tried = sum(each.verdict is not Verdict.NOT_TRIED for each in results)
    untried = max(0, found.matched - tried)
    began = found.selection.after if found.selection else None
    if found.takes_all:
        after = last.after if last else began
    else:
        after = found.after if is_finished else began
        left = list(found.summaries)[len(results) :]
        results = [*results, *(Result(id=each, verdict=Verdict.NOT_TRIED) for each in left)]
    counts = Counter(each.verdict for each in results)
    if found.takes_all and not is_finished:
        counts[Verdict.NOT_TRIED] = untried
    return Ending(
        results=results,
        counts=counts,
        untried=untried,
        after=after,
        is_stopped=not is_finished and reason is None,
        reason=reason,
    )


def _print(output: Output, operation: Operation, found: Targets, ending: Ending) -> None:
    tell_results(output, operation, ending.results)
    if len(ending.results) != 1:
        output.line(counts_text(ending.counts))
    if ending.reason and not ending.results:
        output.line(f"The saga log did not answer: {ending.reason}", fg="red", err=True)
    if not ending.is_whole:
        output.line("To go on, and do nothing twice:", err=True)
        output.line(f"    {_command(output, operation, ending.after)}", err=True)
    elif not found.takes_all and found.after is not None:
        least = "At least " if found.more.is_cut else ""
        output.line(f"{least}{found.more.count:,} more fit. To act on all of them:", err=True)
        again = _command(output, operation, found.after, takes_all=True)
        output.line(f"    {again}", err=True)
    elif ending.untried:
        text = f"{ending.untried:,} of {found.matched:,} moved meanwhile, and were left alone."
        output.line(text, err=True)


def _command(
    output: Output, operation: Operation, after: str | None, *, takes_all: bool = False
) -> str:
    """Write the command that goes on from a place, under the same id and for the same reason."""
    option = "--id" if operation.act == "signal" else "--act-id"
    words = [option, operation.act_id]
    if operation.why:
        words += ["--why", operation.why]
    if after is not None:
        words += ["--after", after]
    without = {option, "--why", "--after"}
    if takes_all:
        words.append("--all")
        without.add("--limit")
    return output.command_again(without=without, words=words)


def _print_json(output: Output, operation: Operation, found: Targets, ending: Ending) -> None:
    document: dict[str, Any] = results_json(output, operation, ending.results)
    if found.query is None and ending.is_whole:
        return output.json(document)
    document |= {
        "matched": found.matched,
        "matched_is_cut": found.more.is_cut,
        "more": ending.untried,
        "after": ending.after,
        "stopped": ending.is_stopped,
    }
    if not ending.is_whole:
        document["go_on"] = _command(output, operation, ending.after)
    return output.json(document)
