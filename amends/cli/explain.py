"""Why a saga stands where it is, and what an operator can do about it."""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final

import click

from amends.cli.children.text import can_be_turned_by_parent
from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.explanation_reasons import reasons
from amends.cli.explanation_text import (
    effects_of_a_cancel,
    headline,
    is_long_overdue,
    prospects,
    remedy_sentence,
    wait_at,
)
from amends.cli.formatting import moment, state_cell
from amends.cli.output import Output
from amends.cli.times.documents import times_json
from amends.cli.times.text import times_lines
from amends.definition.paths import without_item
from amends.definition.states import SagaStatus
from amends.diagnosis.saga.explain import explain
from amends.diagnosis.saga.explanation import Explanation, Remedy
from amends.diagnosis.saga.record_facts import Situation
from amends.log.queries.listing import find_sagas
from amends.log.queries.query import Query
from amends.saga.signals import signal_fields

_MOST_COUNTED: Final = 100
_GO_ON: Final = frozenset({"signal", "retry", "skip", "resume"})
_MOMENTS: Final = frozenset({"now", "since", "at", "until", "forced_until"})


@command("explain")
@click.argument("saga_id")
def explain_saga(output: Output, saga_id: str) -> Exit:
    """Say why a saga stands where it is, what happens next, and what an operator can do.

    Exit code 1 where a person is needed.
    """
    output.app.loader.import_default_modules()  # its breakers, and what its activities return
    found = explain(output.app, saga_id)
    if output.as_json:
        output.json(_document(output, found))
    else:
        _tell(output, found)
    is_stuck = Situation.STUCK in (each.situation for each in (found, *found.causes))
    return Exit.ATTENTION if is_stuck else Exit.OK


def _tell(output: Output, found: Explanation) -> None:
    output.line(f"{found.id}  {found.saga}  ", state_cell(found.status))
    output.line(f"  {headline(found)}", bold=True)
    for line in times_lines(found.times, width=output.width and output.width - 2):
        output.line(f"  {line}")
    for title, lines in explained(output, found).items():
        output.line()
        output.line(title, dim=True)
        for line in lines:
            output.line(f"  {line}", fg="cyan" if is_command(line) else None)


def explained(output: Output, found: Explanation) -> dict[str, list[str]]:
    """Return the sentences of an explanation by the titles of their sections."""
    acts = (_of_causes, _remedies, _others, _with_parent, _checkup)
    sections = {
        "Why": [*reasons(found)],
        "What happens next": [*prospects(found)],
        "What you can do": [line for each in acts for line in each(output, found)],
        "What a cancel would do": [*effects_of_a_cancel(found)],
    }
    return {title: lines for title, lines in sections.items() if lines}


def is_command(line: str) -> bool:
    """Tell whether a line of an explanation is a command, which is indented."""
    return line.startswith("  ")


def _remedies(output: Output, found: Explanation) -> Iterator[str]:
    for remedy in found.remedies:
        yield remedy_sentence(found, remedy)
        yield f"    {_command_line(output, found, remedy)}"


def _of_causes(output: Output, found: Explanation) -> Iterator[str]:
    """Yield the acts on children that let them go on, and so this saga."""
    for cause in found.causes:
        for remedy in cause.remedies:
            if remedy.act in _GO_ON:
                yield f"{cause.id}: {remedy_sentence(cause, remedy)}"
                yield f"    {_command_line(output, cause, remedy)}"
    for cause in found.causes[:1]:
        yield from _others(output, cause)


def _with_parent(output: Output, found: Explanation) -> Iterator[str]:
    if can_be_turned_by_parent(found) and found.parent:
        yield "Its parent alone can undo it, with all else that it did:"
        yield f"    {output.command_line('cancel', shlex.quote(found.parent.id))}"


def _command_line(output: Output, found: Explanation, remedy: Remedy) -> str:
    """Write the command that does it, for this saga as it was seen where that matters."""
    words = [
        remedy.act,
        shlex.quote(found.id),
        *([shlex.quote(remedy.step)] if remedy.step else []),
    ]
    if (wait := wait_at(found, remedy.step)) and wait.wanted:
        text = example(signal_fields(found.saga, remedy.step or ""))
        is_list = remedy.act == "skip" and wait.wanted > 1
        option = "--data" if remedy.act == "signal" else "--output"
        words.append(f"{option} '{f'[{text}, ...]' if is_list else text}'")
    elif remedy.output_fields is not None:
        words.append(f"--output '{example(remedy.output_fields)}'")
    if remedy.act == "skip" or found.situation is Situation.STUCK:  # where nothing moves by itself
        words.append(f"--seen {found.events}")
    return output.command_line(*words)


def example(fields: Iterable[str] | None) -> str:
    """Write an object of these fields, to be filled in; of unknown ones where there are None."""
    told = "..." if fields is None else ", ".join(f'"{each}": ...' for each in fields)
    return f"{{{told}}}"


def _others(output: Output, found: Explanation) -> Iterator[str]:
    """Say how to try all again that are stuck at the same."""
    if found.situation is not Situation.STUCK or not found.failures:
        return
    record = without_item(found.failures[0].path)
    stuck = frozenset({SagaStatus.STUCK})
    query = Query(statuses=stuck, saga=found.saga, step=record)
    page = find_sagas(output.app, query, limit=_MOST_COUNTED)
    count = sum(place.id != found.id for place in page.summaries)
    if count:
        more = " or more" if page.after else ""
        yield f"Stuck at {record} too: {count}{more}. To try all of them again:"
        yield f"    {output.command_line('retry', '--saga', found.saga, '--step', record, '--all')}"


def _checkup(output: Output, found: Explanation) -> Iterator[str]:
    """Say how to see whether workers run at all, where nobody takes it up."""
    if found.situation is Situation.QUEUED or is_long_overdue(found):
        yield "See whether workers run, and consume its queue:"
        yield f"    {output.command_line('doctor')}"


def _document(output: Output, found: Explanation) -> Any:
    document = _with_moments(_facts(output, found))
    document["headline"] = headline(found)
    document["causes"] = [_document(output, each) for each in found.causes]
    return document


def _facts(output: Output, found: Explanation) -> Any:
    document = asdict(found)
    document["times"] = times_json(found.times)
    if found.stage is None:
        del document["stage"]
    for undo in document["cancel"]["undoes"]:
        for name in ("turn", "child"):
            if undo[name] is None:
                del undo[name]
    for remedy, facts in zip(found.remedies, document["remedies"], strict=True):
        facts["command"] = _command_line(output, found, remedy)
    return document


def _with_moments(value: Any, name: str = "") -> Any:
    """Write moments as the other commands do."""
    if isinstance(value, dict):
        return {key: _with_moments(each, key) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_moments(each) for each in value]
    is_moment = isinstance(value, float) and (name in _MOMENTS or name.endswith("_at"))
    return moment(value) if is_moment else value
