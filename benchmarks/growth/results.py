"""The figures, as JSON: rows, and what they were measured on."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.growth.plan import Plan, Rows


@dataclass(frozen=True, kw_only=True)
class Results:
    """What one run came to. Times are in seconds, sizes in bytes."""

    machine: Mapping[str, Any]
    asked: Mapping[str, Any]
    seconds: float
    rows: Rows

    @classmethod
    def of(cls, plan: Plan, *, machine: Mapping[str, Any], rows: Rows, seconds: float) -> Self:
        """Make them of a run."""
        asked = {
            name: value for name, value in asdict(plan).items() if name not in {"results", "page"}
        }
        return cls(machine=machine, asked=asked, seconds=seconds, rows=rows)

    def write(self, path: Path) -> None:
        """Write a file, and the folders above it; a row a line, so that two runs can be compared."""
        path.parent.mkdir(parents=True, exist_ok=True)
        head = {name: value for name, value in asdict(self).items() if name != "rows"}
        rows = ",\n".join(f"  {json.dumps(_rounded(row))}" for row in self.rows)
        text = json.dumps(head, indent=1).removesuffix("\n}")
        path.write_text(f'{text},\n "rows": [\n{rows}\n ]\n}}\n', encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def of_what(self, what: str) -> Rows:
        """Return the rows of one kind."""
        return [row for row in self.rows if row["what"] == what]


def _rounded(value: Any) -> Any:
    """Leave out digits that nobody measured."""
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value
