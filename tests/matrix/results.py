"""What each cell came to: a line of ``docs/matrix.json``, and from these the table of ``docs/servers.md``."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.matrix.cells import CELLS

ROOT: Final = Path(__file__).parents[2]
RESULTS: Final = ROOT / "docs" / "matrix.json"
PAGE: Final = ROOT / "docs" / "servers.md"
LIBRARIES: Final = ("celery", "kombu", "redis-py", "python")
DISPATCHES: Final = ("chain", "inline")

_TABLE: Final = re.compile(r"(?<=<!-- matrix -->\n).*(?=<!-- /matrix -->)", re.DOTALL)
_HEAD: Final = """\
| log | broker | pool | servers | a message a step | inline | Celery, kombu, redis-py, Python | run on |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""

Row = Mapping[str, Any]


def read_results() -> dict[str, Row]:
    """Read the last result of each cell, by its name."""
    rows = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    return {row["cell"]: row for row in rows}


def record(row: Row) -> None:
    """Write a cell's result in place of its last one, and the page's table anew."""
    rows = {**read_results(), row["cell"]: row}
    kept = [rows[cell.name] for cell in CELLS if cell.name in rows]
    lines = ",\n".join(json.dumps(each) for each in kept)
    RESULTS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_TABLE.sub(lambda _: table_of(kept), page), encoding="utf-8")


def table_on_page() -> str:
    """Return the table that the page has."""
    found = _TABLE.search(PAGE.read_text(encoding="utf-8"))
    return found[0] if found else ""


def table_of(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    return _HEAD + "".join(f"| {' | '.join(_cells(row))} |\n" for row in rows)


def _cells(row: Row) -> list[str]:
    log, broker, pool = row["cell"].split("/")
    servers = ", ".join(dict.fromkeys((row["server"], row["broker"])))
    runs = [_run(row[dispatch]) for dispatch in DISPATCHES]
    libraries = ", ".join(row[name] for name in LIBRARIES)
    return [f"`{log}`", f"`{broker}`", pool, servers, *runs, libraries, row["date"]]


def _run(told: Row) -> str:
    verdict = "" if told["passed"] else "FAILED: "
    return (
        f"{verdict}{told['contradictions']} of {told['orders']} wrong, {told['faults']} faults, {told['standstill']} s"
        f" (seed {told['seed']})"
    )
