"""The page ``docs/performance.md``: its tables are written from the figures, between marks in its text."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from benchmarks.growth import capacity, tables
from benchmarks.growth.results import Results

_PART: Final = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

PARTS: Final[Mapping[str, Callable[[Results], str]]] = {
    "machine": tables.machine,
    "others": tables.others,
    "scripts": tables.scripts,
    "standing": tables.standing,
    "steps": tables.steps,
    "payload": tables.payload,
    "workers": tables.workers,
    "memory": capacity.memory,
    "retention": capacity.retention,
    "processor": capacity.processor,
    "upkeep": capacity.upkeep,
}


def write_page(results: Results, page: Path) -> None:
    """Write the tables of the page anew. Raises ``KeyError`` for a mark that names no table."""
    text = page.read_text(encoding="utf-8")
    page.write_text(with_figures(text, results), encoding="utf-8")


def with_figures(text: str, results: Results) -> str:
    """Return the text with each marked part written anew."""
    return _PART.sub(lambda mark: f"{mark[1]}{PARTS[mark[2]](results)}\n{mark[3]}", text)
