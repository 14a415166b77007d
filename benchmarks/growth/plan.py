"""What ``make bench-growth`` is asked to do, by its environment."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

Rows = list[dict[str, Any]]
"""What was measured, a row each; ``what`` says what it is about."""
Say = Callable[[str], None]

AXES: Final = ("others", "steps", "payload", "workers")
_ROOT: Final = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured. Lists are joined by commas.

    ``ROUNDS``, ``SAGAS`` (at most so many a run), ``OTHERS`` (sagas in the log), ``STEPS``, ``PAYLOADS`` (bytes),
    ``WORKERS`` (processes), ``AXES`` (of the four), ``RESULTS`` (a file for the figures), ``PAGE`` (the page whose tables are
    written anew, where all four are measured).
    """

    rounds: int = 5
    sagas: int = 200
    others: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    steps: tuple[int, ...] = (2, 5, 10, 20, 50)
    payloads: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    workers: tuple[int, ...] = (1, 2, 4, 8)
    axes: tuple[str, ...] = AXES
    results: Path = _ROOT / "benchmarks" / "results" / "growth.json"
    page: Path = _ROOT / "docs" / "performance.md"

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read it. Raises ``ValueError`` for what is no number, and for an axis that is unknown."""
        given = {
            name: environment[name.upper()] for name in cls.names() if environment.get(name.upper())
        }
        fields: dict[str, Any] = {}
        for name, text in given.items():
            if name in {"rounds", "sagas"}:
                fields[name] = int(text)
            elif name in {"results", "page"}:
                fields[name] = Path(text)
            else:
                words = text.split(",")
                fields[name] = tuple(words if name == "axes" else map(int, words))
        plan = cls(**fields)
        if unknown := set(plan.axes) - set(AXES):
            raise ValueError(f"AXES names {', '.join(unknown)}; there are {', '.join(AXES)}")
        return plan

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Name the fields."""
        return tuple(cls.__dataclass_fields__)
