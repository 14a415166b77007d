"""The figures of all runs, as JSON."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.counting import Counts
from benchmarks.figures import ratios
from benchmarks.running import Figures

Rounds = Mapping[str, list[Figures]]
"""What the rounds came to, by the contender's name."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """What one ``make bench`` came to: figures by the way Redis syncs, contender and round."""

    machine: Mapping[str, Any]
    asked: Mapping[str, Any]
    rounds: Mapping[str, Rounds]
    titles: Mapping[str, str]
    counts: Mapping[str, Counts]
    order_bytes: float | None = None
    """What a finished order of the reference system keeps."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Why a contender is missing, by its name."""

    def write(self, path: Path) -> None:
        """Write a file, and the folders above it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        fields = json.loads(path.read_text(encoding="utf-8"))
        rounds = {
            sync: {name: [Figures(**each) for each in figures] for name, figures in runs.items()}
            for sync, runs in fields.pop("rounds").items()
        }
        counts = {name: Counts.read(each) for name, each in fields.pop("counts").items()}
        return cls(**fields, rounds=rounds, counts=counts)


def column(rounds: Rounds, name: str, figure: str) -> list[float] | None:
    """Return one figure of a contender, round by round; None where it has no such figure."""
    values = [getattr(each, figure) for each in rounds.get(name, [])]
    return None if not values or None in values else values


def compared(rounds: Rounds, name: str, figure: str, base: str) -> list[float] | None:
    """Return a figure's ratio to the base's, round by round. `start_many` is compared with plain starts."""
    mine = column(rounds, name, figure)
    others = column(rounds, base, "starts" if figure == "starts_many" else figure)
    return None if mine is None or others is None else ratios(mine, others)


def describe_machine(redis_version: str) -> dict[str, Any]:
    """Tell what the figures depend on beside the code."""
    packages = ("celery", "kombu", "redis", "hiredis", "dbos", "celery-saga")
    return {
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "redis_server": redis_version,
        "packages": {name: _version(name) for name in packages},
        "load_at_start": os.getloadavg()[0],
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
