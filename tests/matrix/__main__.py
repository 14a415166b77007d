"""A chaos run by each dispatch for each cell of log, broker and pool: ``python -m tests.matrix``.

CELLS chooses cells by names or patterns (``cluster/*``), or with ``today`` a few that change with the day. ORDERS,
MINUTES and SEED are those of chaos; without SEED each run has a fresh one. A cell's result is recorded in
``docs/matrix.json`` and in the table of ``docs/servers.md``, but for those of ``today``. Exit code 0: every cell that
can run here passed.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

from demo.servers import find_rabbitmq
from tests.matrix.cells import LOGS, TODAY, Cell, choose
from tests.matrix.results import DISPATCHES, ROOT, record


def run_chaos(
    cell: Cell, dispatch: str, program: Path, environment: Mapping[str, str]
) -> Mapping[str, Any] | None:
    """Run chaos in a cell; return its figures, or None if it came to no verdict."""
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
    subprocess.run(command, env={**environment, **given}, check=False, cwd=ROOT)
    found = next(directory.glob("*/figures.json"), None)
    if found is None:
        return None
    return {"seed": int(seed), **json.loads(found.read_text(encoding="utf-8"))}


def run_cell(cell: Cell, environment: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Run a cell by each dispatch; return its row, or None if a run came to no verdict."""
    found = cell.find_server()
    assert found is not None
    program, server = found
    runs = {}
    for dispatch in DISPATCHES:
        told = run_chaos(cell, dispatch, program, environment)
        if told is None:
            return None
        runs[dispatch] = told
    return {
        "cell": cell.name,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "server": server,
        "broker": _rabbitmq() if cell.broker.startswith("rabbitmq") else server,
        "celery": version("celery"),
        "kombu": version("kombu"),
        "redis-py": version("redis"),
        "python": python_version(),
        **runs,
    }


def _rabbitmq() -> str:
    command = [str(find_rabbitmq().with_name("rabbitmqctl")), "version"]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return f"RabbitMQ {told.stdout.split()[-1]}"


def main(environment: Mapping[str, str]) -> int:
    """Run the cells that are chosen; return the exit code."""
    wanted = environment.get("CELLS") or "*"
    ends = {}
    for cell in choose(wanted, datetime.now(UTC).date()):
        if reason := cell.lacks():
            ends[cell.name] = f"not run: {reason}"
            continue
        sys.stdout.write(f"{cell.name}\n")
        sys.stdout.flush()
        row = run_cell(cell, environment)
        passed = row is not None and all(row[dispatch]["passed"] for dispatch in DISPATCHES)
        ends[cell.name] = "passed" if passed else "FAILED"
        if row is not None and wanted != TODAY:
            record(row)
    sys.stdout.write("".join(f"{name:<40} {end}\n" for name, end in ends.items()))
    return 0 if ends and "FAILED" not in ends.values() else 1


if __name__ == "__main__":
    sys.exit(main(os.environ))
