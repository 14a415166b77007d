"""Contenders of ``make bench``: each is a module that starts a saga, and a worker that runs it.

A module has ``start(number)``, and where the library has such a thing ``start_many(numbers)``, ``start_here(number)``
for one that runs in the process that starts it, and ``count_completed()``.
"""

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Final

from benchmarks.contenders.tracing import TOOLS

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Contender:
    """One contender.

    package: what it needs beside this project.
    environment: variables of its processes.
    checkout: the checkout of this project whose engine it runs, in the ``.venv`` there.
    """

    name: str
    title: str
    module: str
    _: KW_ONLY
    package: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    is_celery: bool = True
    checkout: Path = ROOT

    @property
    def is_ours(self) -> bool:
        """Whether its sagas are in a saga log."""
        return self.module in (SAGA, GROWTH_SAGA)

    @property
    def python(self) -> list[str]:
        """The interpreter, which takes this project's modules from ``PYTHONPATH`` and not from where it runs."""
        own = self.checkout / ".venv/bin/python"
        return [sys.executable if self.checkout == ROOT else str(own), "-P", "-m"]

    def worker_command(self, directory: Path, *, pool: str, concurrency: int) -> list[str]:
        """Return the command of its worker, which runs in `directory`."""
        if not self.is_celery:
            return [*self.python, self.module]
        celery = [*self.python, "celery", "--workdir", str(directory), "-A", self.module, "worker"]
        return [*celery, "--loglevel", "WARNING", "--pool", pool, "--concurrency", str(concurrency)]

    def missing(self) -> str | None:
        """Return what it lacks, or None."""
        if self.package and importlib.util.find_spec(self.package) is None:
            return f"the package {self.package} is not installed"
        return None


CHAIN: Final = "benchmarks.contenders.celery_chain"
CELERY_SAGA: Final = "benchmarks.contenders.celery_saga_chain"
DBOS: Final = "benchmarks.contenders.dbos_workflow"
SAGA: Final = "benchmarks.contenders.amends_saga"
GROWTH_SAGA: Final = "benchmarks.growth.saga"
AGAINST: Final = "against"
NO_FAST_PATH: Final = "no_fast_path"
BASE: Final = "plain"
"""The contender that the others are compared with."""
_INLINE: Final = {"BENCH_DISPATCH": "inline"}
OURS: Final = (
    Contender("amends", "amends", SAGA),
    Contender("amends_inline", "amends, inline", SAGA, environment=_INLINE),
)
_RESULTS: Final = {"BENCH_WITH_RESULTS": "1"}
CONTENDERS: Final = (
    Contender(BASE, "Celery chain, with results", CHAIN, environment=_RESULTS),
    Contender("plain_no_results", "Celery chain, without results", CHAIN),
    *OURS,
    Contender("dbos", "DBOS on SQLite", DBOS, package="dbos", is_celery=False),
    Contender("celery_saga", "celery-saga", CELERY_SAGA, package="celery_saga"),
)


def chosen(
    only: tuple[str, ...] = (),
    *,
    against: Path | None = None,
    fast: str = "",
    traces: tuple[str, ...] = (),
) -> list[Contender]:
    """Return the contenders that take part.

    only: names; default all of `CONTENDERS`.
    against: another checkout of this project, whose engine takes part too.
    fast: ``both`` adds this engine without its fast path.
    traces: adds this engine with each of these tracing tools, see `tracing.TOOLS`.

    Raises ``ValueError`` for an unknown name or tool, a checkout without ``.venv``, another `fast`.
    """
    known = {contender.name: contender for contender in CONTENDERS}
    for name in only:
        if name not in known:
            raise ValueError(f"no contender is called {name!r}; there are {', '.join(known)}")
    found = [known[name] for name in only or known]
    if fast not in ("", "both"):
        raise ValueError(f"FAST is {fast!r}; it may be 'both'")
    if fast:
        found += [_variant(each, NO_FAST_PATH, BENCH_FAST_PATH="0") for each in OURS]
    for tool in traces:
        if tool not in TOOLS:
            raise ValueError(f"TRACES has {tool!r}; there are {', '.join(TOOLS)}")
        found += [_variant(each, tool, BENCH_TRACES=tool) for each in OURS]
    if against is not None:
        checkout = against.expanduser().resolve()
        if not os.access(checkout / ".venv/bin/python", os.X_OK):
            raise ValueError(f"{checkout} has no .venv: run `make install` there")
        found += [replace(_variant(each, AGAINST), checkout=checkout) for each in OURS]
    return found


def variants_of(name: str) -> tuple[str, ...]:
    """Return the names that `chosen` gives to the variants of one of ours."""
    return tuple(f"{name}_{kind}" for kind in (AGAINST, NO_FAST_PATH, *TOOLS))


def _variant(contender: Contender, kind: str, **environment: str) -> Contender:
    return replace(
        contender,
        name=f"{contender.name}_{kind}",
        title=f"{contender.title}, {kind.replace('_', ' ')}",
        environment={**contender.environment, **environment},
    )
