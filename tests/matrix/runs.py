"""One run of chaos in a cell: its figures, and why it failed."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any, Final

SHOWN: Final = 4  # findings of a run in the closing table
WIDTH: Final = 240  # characters of each


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run of chaos by one dispatch.

    figures: of ``figures.json``; None without a verdict.
    findings: why it failed: wrong orders, a standstill, or the error that kept it from a verdict; empty if it passed.
    """

    dispatch: str
    seed: int
    figures: Mapping[str, Any] | None
    findings: Sequence[str]

    def __str__(self) -> str:
        """Return a line for each of the first findings."""
        told = [shorten(each, WIDTH, placeholder=" ...") for each in self.findings[:SHOWN]]
        if more := self.findings[SHOWN:]:
            told.append(f"and {len(more)} more")
        return "".join(f"    {self.dispatch}, SEED={self.seed}: {each}\n" for each in told)


def read_run(directory: Path, *, dispatch: str, seed: int, code: int, errors: str) -> Run:
    """Read a run that ended.

    directory: that was given to chaos, which makes one of its own in it.
    code: its exit code.
    errors: its standard error.
    """
    found = next(directory.glob("*/figures.json"), None)
    if found is None:
        # An error of the system has the end of a program's log below it; of a traceback the last line tells most.
        named = re.search(r"^error: .*", errors, re.MULTILINE | re.DOTALL)
        last = errors.rstrip().rpartition("\n")[2]
        said = named[0] if named else last or f"exit code {code}"
        return Run(dispatch=dispatch, seed=seed, figures=None, findings=[f"no verdict: {said}"])
    figures = json.loads(found.read_text(encoding="utf-8"))
    findings = figures.pop("findings")
    return Run(dispatch=dispatch, seed=seed, figures=figures, findings=findings)


def closing_table(ends: Mapping[str, str | Sequence[Run]]) -> str:
    """Return a line for each cell, and below a failed one why.

    ends: by the names of the cells: their runs, or why they were not run.
    """
    lines = []
    for name, end in ends.items():
        runs = () if isinstance(end, str) else end
        why = "".join(map(str, runs))
        told = end if isinstance(end, str) else "FAILED" if why else "passed"
        lines.append(f"{name:<40} {told}\n{why}")
    return "".join(lines)
