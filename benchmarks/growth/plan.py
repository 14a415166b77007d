"""What ``make bench-growth`` measures, by its environment."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.plan import read_fields

Rows = list[dict[str, Any]]
"""What was measured, a row each; ``what`` names its kind."""
Say = Callable[[str], None]

AXES: Final = ("others", "steps", "payload", "workers")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured. Each field is a variable of its name, in capitals; lists are joined by commas.

    sagas: of a run, at most.
    others: sagas in the log.
    payloads: bytes of an input.
    workers: processes.
    axes: some of the four.
    results: file for the figures.
    """

    rounds: int = 5
    sagas: int = 200
    others: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    steps: tuple[int, ...] = (2, 5, 10, 20, 50)
    payloads: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    workers: tuple[int, ...] = (1, 2, 4, 8)
    axes: tuple[str, ...] = AXES
    results: Path | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read it. Raises ``ValueError`` for a number that is none, and for an unknown axis."""
        plan = cls(**read_fields(cls, environment))
        if unknown := set(plan.axes) - set(AXES):
            raise ValueError(f"AXES names {', '.join(unknown)}; there are {', '.join(AXES)}")
        return plan
