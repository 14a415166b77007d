"""What ``make bench`` measures, by its environment."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.contenders import Contender, chosen


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured, of which contenders. Each field is a variable of its name, in capitals.

    sagas: of a run.
    latencies: of a run, at most.
    warm: sagas before each run.
    concurrency: processes of each worker's pool.
    sync: values of ``appendfsync``, joined by commas.
    only: names of contenders, joined by commas.
    against: another checkout of this project with its own ``.venv``, whose engine takes part.
    fast: ``both`` lets this engine take part without its fast path too.
    traces: tracing tools with which this engine takes part too, joined by commas.
    order: 0 leaves out the bytes of an order, for which the whole reference system is started.
    profile: folder for what cProfile says of the pools' processes.
    results: file for the figures.
    """

    rounds: int = 5
    sagas: int = 1000
    latencies: int = 200
    warm: int = 60
    concurrency: int = 2
    pool: str = "prefork"
    sync: tuple[str, ...] = ("everysec", "always")
    only: tuple[str, ...] = ()
    against: Path | None = None
    fast: str = ""
    traces: tuple[str, ...] = ()
    order: int = 1
    profile: Path | None = None
    results: Path | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read it. Raises ``ValueError`` for a number that is none."""
        return cls(**read_fields(cls, environment))

    def contenders(self) -> list[Contender]:
        """Return the contenders. Raises ``ValueError`` as `chosen` does."""
        return chosen(self.only, against=self.against, fast=self.fast, traces=self.traces)


def read_fields(plan: type[Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a plan that the environment sets, by their annotations."""
    return {
        field.name: _KINDS[field.type](text)
        for field in fields(plan)
        if (text := environment.get(field.name.upper()))
    }


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


_KINDS: Final[Mapping[Any, Callable[[str], Any]]] = {
    int: int,
    str: str,
    Path: Path,
    Path | None: Path,
    tuple[int, ...]: _numbers,
    tuple[str, ...]: _words,
}
