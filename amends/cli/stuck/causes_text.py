"""The causes of stuck sagas, each with the command that acts on all that have it."""

import textwrap
from collections.abc import Iterator
from typing import Any, Final

from amends.cli.formatting import duration, moment
from amends.cli.output import Output
from amends.cli.table import Cell
from amends.log.queries.cause_groups import CauseGroup, CauseGroups

_MOST_SHOWN: Final = 10
_GAP: Final = "  "


def print_causes(output: Output, found: CauseGroups) -> None:
    """Print how many are stuck, and why: the most frequent causes, the total first."""
    shown, rest = found.groups[:_MOST_SHOWN], found.groups[_MOST_SHOWN:]
    least = "At least " if found.is_cut else ""
    causes = "one cause" if len(found.groups) == 1 else f"{len(found.groups):,} causes"
    output.line(f"{least}{found.total:,} sagas are stuck, for {causes}:", bold=True)
    margin = max(len(f"{group.count:,}") for group in shown)
    for group in shown:
        output.line()
        for number, line in enumerate(_lines(output, group, margin)):
            count = f"{group.count:,}".rjust(margin) if number == 0 else " " * margin
            output.line(Cell(count, {"fg": "red", "bold": True}), _GAP, line)
    if rest:
        output.line()
        sagas = sum(group.count for group in rest)
        output.line(f"{len(rest):,} more causes, of {sagas:,} sagas: --json has all.", dim=True)
    if found.is_cut:
        text = f"Looked at {found.looked_at:,} sagas, and stopped: there are more."
        output.line(text, fg="yellow")
    output.line()


def _lines(output: Output, group: CauseGroup, margin: int) -> Iterator[Cell]:
    cause, oldest = group.cause, group.oldest
    at = f" at {cause.record}" if cause.record else ""
    width = (output.width or 10_000) - margin - len(_GAP)
    first = f"{cause.saga}{at}, the first for {duration(oldest.age)}: {oldest.id}"
    for text in (first, cause.error or "no error"):
        for line in textwrap.wrap(
            text, max(width, 20), break_long_words=False, break_on_hyphens=False
        ):
            yield Cell(line)
    yield Cell(command_for(output, group), {"dim": True})


def command_for(output: Output, group: CauseGroup) -> str:
    """Write the command that lets all sagas of a group try again."""
    return output.command_line("retry", "--cause", group.cause.key, "--all")


def causes_json(output: Output, found: CauseGroups) -> dict[str, Any]:
    """Give the causes, the total, and whether sagas were left unread."""
    return {
        "total": found.total,
        "total_is_cut": found.is_cut,
        "causes": [
            {
                "cause": group.cause.key,
                "saga": group.cause.saga,
                "record": group.cause.record,
                "error": group.cause.error,
                "count": group.count,
                "oldest": group.oldest.id,
                "since": moment(group.oldest.since),
                "age": round(group.oldest.age, 3),
                "command": command_for(output, group),
            }
            for group in found.groups
        ],
    }
