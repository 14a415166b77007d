"""A chaos run by each dispatch for each cell of log, broker and pool: ``python -m tests.matrix``.

CELLS chooses cells by names or patterns (``cluster/*``), or with ``today`` a few that change with the day. ORDERS,
MINUTES and SEED are those of chaos; without SEED each run has a fresh one. A cell's result is recorded in
``docs/matrix.json`` and in the table of ``docs/servers.md``, but for those of ``today``. Exit code 0: every cell that
can run here passed.
"""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from platform import python_version

from demo.servers import find_rabbitmq
from tests.matrix.cells import LOGS, TODAY, Cell, choose
from tests.matrix.results import DISPATCHES, ROOT, Row, record
from tests.matrix.runs import Run, closing_table, read_run


def run_chaos(cell: Cell, dispatch: str, program: Path, environment: Mapping[str, str]) -> Run:
    """Run chaos in a cell by a dispatch, with `program` as the log's server."""
    directory = ROOT / ".run" / "matrix" / cell.name.replace("/", "-") / dispatch
    shutil.rmtree(directory, ignore_errors=True)
    seed = environment.get("SEED") or str(secrets.randbelow(10**6))
    given = {
        "LOG": LOGS[cell.log].log,
        "BROKER": cell.broker,
        "POOL": cell.pool,
        "ORDER_DISPATCH": dispatch,
        "REDIS_SERVER": str(program),
        "SEED": seed,
    }
    command = [sys.executable, "-m", "tests.chaos", "--directory", str(directory)]
    ended = subprocess.run(
        command,
        env={**environment, **given},
        check=False,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    sys.stderr.write(ended.stderr)
    return read_run(
        directory, dispatch=dispatch, seed=int(seed), code=ended.returncode, errors=ended.stderr
    )


def run_cell(cell: Cell, environment: Mapping[str, str]) -> list[Run]:
    """Run a cell by each dispatch, up to the first run without a verdict."""
    found = cell.find_server()
    assert found is not None
    runs = []
    for dispatch in DISPATCHES:
        runs.append(run_chaos(cell, dispatch, found[0], environment))
        if runs[-1].figures is None:
            break
    return runs


def row_of(cell: Cell, runs: Sequence[Run]) -> Row:
    """Return the row of a cell whose runs all have figures."""
    found = cell.find_server()
    assert found is not None
    return {
        "cell": cell.name,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "server": found[1],
        "broker": _rabbitmq() if cell.broker.startswith("rabbitmq") else found[1],
        "celery": version("celery"),
        "kombu": version("kombu"),
        "redis-py": version("redis"),
        "python": python_version(),
        **{run.dispatch: {"seed": run.seed, **(run.figures or {})} for run in runs},
    }


def _rabbitmq() -> str:
    command = [str(find_rabbitmq().with_name("rabbitmqctl")), "version"]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return f"RabbitMQ {told.stdout.split()[-1]}"


def main(environment: Mapping[str, str]) -> int:
    """Run the cells that are chosen; return the exit code."""
    wanted = environment.get("CELLS") or "*"
    ends: dict[str, str | Sequence[Run]] = {}
    for cell in choose(wanted, datetime.now(UTC).date()):
        if reason := cell.lacks():
            ends[cell.name] = f"not run: {reason}"
            continue
        sys.stdout.write(f"{cell.name}\n")
        sys.stdout.flush()
        ends[cell.name] = runs = run_cell(cell, environment)
        if wanted != TODAY and all(run.figures for run in runs):
            record(row_of(cell, runs))
    sys.stdout.write(closing_table(ends))
    failed = any(
        run.findings for runs in ends.values() if not isinstance(runs, str) for run in runs
    )
    return 0 if ends and not failed else 1


if __name__ == "__main__":
    sys.exit(main(os.environ))
