"""Write the fixture anew: ``python -m tests.compatibility.write``.

The release before, of the commit `BEFORE`, is checked out into a folder of its own. By its scripts sagas are left in all
`states`, and by its workers a copy is finished: what this release is compared with.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from amends.log.saga_log import log_of
from demo.programs import DemoError
from demo.servers import own_redis
from tests.compatibility import fixture
from tests.compatibility.finish import app_on, finish, load, seen
from tests.compatibility.moves import OWNER, Moves
from tests.compatibility.states import states

ROOT: Final = Path(__file__).parents[2]
BEFORE: Final = "ad42624"
"""The commit of the release before."""


@contextmanager
def release_before(directory: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Check the release before out; yield the folder, and the environment in which Python imports it there.

    A process that runs there has `amends` from it, and this package from here.
    """
    folder = directory / f"amends-{BEFORE}"
    git = ["git", "-C", str(ROOT)]
    known = [*git, "cat-file", "-e", f"{BEFORE}^{{commit}}"]
    if subprocess.run(known, stderr=subprocess.DEVNULL, check=False).returncode:
        raise DemoError(
            f"this clone has no commit {BEFORE}, the release before: git fetch --unshallow"
        )
    git = [*git, "worktree"]
    subprocess.run([*git, "add", "--force", "--quiet", "--detach", folder, BEFORE], check=True)
    try:
        yield folder, {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    finally:
        subprocess.run([*git, "remove", "--force", folder], check=True)


def leave_behind(url: str) -> dict[str, Any]:
    """Leave a saga in each state, and return log and broker."""
    sagas: dict[str, Any] = {}
    with app_on(url) as app:
        load(url, {"log": {}, "broker": {}})
        log_of(app).workers.note_heartbeat(OWNER, [4_000_000], [], node="before@here")
        for number, state in enumerate(states(), 1):
            moves = Moves(app, f"s{number}", state.saga)
            moves.begin(state.input)
            moves.make(state.moves)
            told = {"saga": state.saga, "moves": state.moves, "then": state.then}
            left = {"tokens": moves.tokens, "last_act": moves.last_act}
            sagas[moves.id] = {**told, **left}
        for saga_id, told in sagas.items():
            told["seen"] = seen(saga_id, told["saga"])
        log = fixture.client_of(url, fixture.LOG)
        now = fixture.now_of(log)
        return {
            "written_by": BEFORE,
            "log": fixture.read_database(log, now),
            "broker": fixture.read_database(fixture.client_of(url, fixture.BROKER), now),
            "sagas": sagas,
        }


def write(url: str) -> None:
    """Write the fixture, in a process that has the release before."""
    contents = leave_behind(url)
    load(url, contents)
    with app_on(url) as app:
        for saga_id, end in finish(app, contents["sagas"]).items():
            contents["sagas"][saga_id]["comes_to"] = end
    fixture.write_file(contents)
    size = fixture.FILE.stat().st_size
    sys.stdout.write(f"{len(contents['sagas'])} sagas, {size} bytes\n")


def main() -> int:
    """Run `write` with the release before."""
    if url := os.environ.get("LEFT_BEHIND_ON"):
        write(url)
        return 0
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with own_redis(directory) as url, release_before(directory) as (folder, environment):
            command = [sys.executable, "-m", "tests.compatibility.write"]
            run = subprocess.run(
                command, cwd=folder, env={**environment, "LEFT_BEHIND_ON": url}, check=False
            )
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
