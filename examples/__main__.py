"""Runs the tests of each example: ``python -m examples [NAME ...]``.

Each has a PostgreSQL and a Redis of its own, which it finds by PGHOST, PGPORT, PGUSER and PGDATABASE, and by REDIS_URL. A project of
Django's is tested by its ``manage.py``, any other one by pytest.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from demo.ports import LOOPBACK
from demo.programs import NotInstalled
from demo.servers import own_redis
from tests.support.databases import SERVANT, find_postgres, own_postgres

HERE: Final = Path(__file__).parent


def examples() -> list[str]:
    """Name the folders that have tests."""
    return sorted({file.relative_to(HERE).parts[0] for file in HERE.glob("*/**/test_*.py")})


def is_sound(name: str) -> bool:
    """Run the tests of an example; tell whether they passed."""
    is_django = (HERE / name / "manage.py").exists()
    tests = ["manage.py", "test"] if is_django else ["-m", "pytest", "-q"]
    with (
        tempfile.TemporaryDirectory(prefix="amends-") as directory,
        own_redis(Path(directory)) as redis_url,
        own_postgres() as postgres,
    ):
        environment = {
            **os.environ,
            "PYTHONPATH": str(HERE.parent),
            "REDIS_URL": redis_url,
            "PGHOST": LOOPBACK,
            "PGPORT": str(postgres.port),
            "PGUSER": SERVANT,
            "PGDATABASE": "postgres",
        }
        ran = subprocess.run(
            [sys.executable, *tests], cwd=HERE / name, env=environment, check=False
        )
    return ran.returncode == 0


def main(names: list[str]) -> int:
    """Run these, or all; return 0 if all passed, or if there is no PostgreSQL, and 1 if not."""
    try:
        find_postgres()
    except NotInstalled as missing:
        sys.stderr.write(f"the examples are skipped: {missing}\n")
        return 0
    failed = []
    for name in names or examples():
        sys.stdout.write(f"examples/{name}\n")
        sys.stdout.flush()
        if not is_sound(name):
            failed.append(name)
    sys.stdout.write(f"failed: {', '.join(failed)}\n" if failed else "all passed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
