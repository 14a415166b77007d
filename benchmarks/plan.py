"""What ``make bench`` is asked to do, by its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.contenders import Contender, chosen


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured, of whom.

    ``ROUNDS``, ``SAGAS`` (a run's), ``LATENCIES`` (at most so many a run), ``WARM`` (sagas before each run),
    ``CONCURRENCY``, ``POOL``, ``SYNC`` (``everysec,always``), ``ONLY`` (contenders, joined by commas), ``PROFILE``
    (a directory for what cProfile says of the processes of the pools), ``ORDER=0``
    (leave out the bytes of an order, for which the whole reference system is started), ``RESULTS`` (a file for the
    figures), ``PUBLISH=1`` (renew the figures, the picture and the tables that the README shows).
    """

    rounds: int = 5
    sagas: int = 1000
    latencies: int = 200
    warm: int = 60
    concurrency: int = 2
    pool: str = "prefork"
    syncs: tuple[str, ...] = ("everysec", "always")
    only: tuple[str, ...] = ()
    order: bool = True
    publish: bool = False
    profile: Path | None = None
    results: Path | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read it. Raises ``ValueError`` for what is no number."""
        numbers = {
            name: int(environment[name.upper()])
            for name in ("rounds", "sagas", "latencies", "warm", "concurrency")
            if environment.get(name.upper())
        }
        words = {
            field: tuple(environment[name].split(","))
            for name, field in (("SYNC", "syncs"), ("ONLY", "only"))
            if environment.get(name)
        }
        paths = {
            name: Path(environment[name.upper()])
            for name in ("profile", "results")
            if environment.get(name.upper())
        }
        switches = {
            "order": environment.get("ORDER") != "0",
            "publish": bool(environment.get("PUBLISH")),
        }
        pool = environment.get("POOL") or cls.pool
        return cls(**numbers, **words, **paths, pool=pool, **switches)  # type: ignore[arg-type]

    def contenders(self) -> list[Contender]:
        """Return who takes part, if nothing is missing. Raises ``ValueError`` for a name that is unknown."""
        return chosen(self.only)
