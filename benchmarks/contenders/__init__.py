"""Who takes part in ``make bench``: each a module that can start a saga, and what runs its worker."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol


class Contending(Protocol):
    """What a contender's module has.

    Where the contender has such a thing, also ``start_many(numbers)``; ``start_here(number)``, for one that runs in the
    process that starts it; ``count_completed()``, which tells how many its records say completed.
    """

    def start(self, number: int) -> None:
        """Start the saga of this number."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One who takes part. `package` is what it needs beyond ours."""

    name: str
    title: str
    module: str
    package: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    is_celery: bool = True

    def worker_command(self, *, pool: str, concurrency: int) -> list[str]:
        """Return what runs its worker."""
        if not self.is_celery:
            return [sys.executable, "-m", self.module]
        celery = [sys.executable, "-m", "celery", "-A", self.module, "worker"]
        return [*celery, "--loglevel", "WARNING", "--pool", pool, "--concurrency", str(concurrency)]

    def missing(self) -> str | None:
        """Say what it lacks to take part, if anything."""
        if self.package and importlib.util.find_spec(self.package) is None:
            return f"the package {self.package} is not installed"
        return None


CONTENDERS: Final[Sequence[Contender]] = (
    Contender(
        name="plain",
        title="Celery chain, with results",
        module="benchmarks.contenders.plain",
        environment={"BENCH_RESULTS": "1"},
    ),
    Contender(
        name="plain_no_results",
        title="Celery chain, without results",
        module="benchmarks.contenders.plain",
    ),
    Contender(name="amends", title="amends", module="benchmarks.contenders.ours"),
    Contender(
        name="amends_inline",
        title="amends, inline",
        module="benchmarks.contenders.ours",
        environment={"BENCH_INLINE": "1"},
    ),
    Contender(
        name="dbos",
        title="DBOS on SQLite",
        module="benchmarks.contenders.dbos_workflow",
        package="dbos",
        is_celery=False,
    ),
    Contender(
        name="celery_saga",
        title="celery-saga",
        module="benchmarks.contenders.celery_saga_chain",
        package="celery_saga",
    ),
)
BASE: Final = "plain"
"""Whom the others are compared with."""


def chosen(only: Sequence[str]) -> list[Contender]:
    """Return the contenders of these names, all for none. Raises ``ValueError`` for one that is unknown."""
    known = {contender.name: contender for contender in CONTENDERS}
    for name in only:
        if name not in known:
            raise ValueError(f"no contender is called {name!r}; there are {', '.join(known)}")
    return [known[name] for name in only or known]


def load(contender: Contender) -> Contending:
    """Import a contender's module, in a process of its own: each makes its app the current one."""
    module: Any = importlib.import_module(contender.module)
    return module  # type: ignore[no-any-return]
