"""Run a command that cannot outlive its owner: ``python -m demo.leash OWNER GRACE COMMAND...``.

OWNER is the pid of the process that starts the leash. A SIGTERM goes to the command alone, so that a Celery worker can
let its children finish. The command and all its children are killed GRACE seconds later, or when the owner is gone,
also by ``kill -9``: ``PR_SET_PDEATHSIG`` would be shorter, but is Linux only, and a pipe stays open in a fork.
"""

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

PERIOD = 0.05


def leashed(command: Sequence[str], *, grace: float) -> list[str]:
    """Return the command that runs `command` on a leash of this process; `grace` is in seconds."""
    return [sys.executable, "-m", "demo.leash", str(os.getpid()), str(grace), *command]


def main(owner: int, grace: float, command: Sequence[str]) -> int:
    """Run the command to its end, leave no child of it behind, and return its exit code."""
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: asked.append(number))
    child = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - the owner's command
    deadline = math.inf
    while child.poll() is None and os.getppid() == owner and time.monotonic() < deadline:
        if asked and deadline == math.inf:
            deadline = time.monotonic() + grace
            child.terminate()
        time.sleep(PERIOD)
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a zombie
        os.killpg(child.pid, signal.SIGKILL)
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
