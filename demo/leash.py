"""Run one command that cannot outlive its owner: ``python -m demo.leash LOCK GRACE REPORT COMMAND...``.

The owner holds an exclusive lock on the file LOCK. The leash waits for that lock in a thread: the system hands it
over the moment the owner ends, also by ``kill -9``, and then the command and all its children are killed.
POSIX record locks (``fcntl(2)``), because they belong to a process: unlike a pipe or ``flock(2)``, a fork of the owner
does not keep them. ``PR_SET_PDEATHSIG`` would be shorter, but is Linux only, and is cleared by a fork.

A SIGTERM is passed on to the command alone, so that a Celery worker can let its children finish; what still
runs GRACE seconds later is killed. A command that ends unasked leaves its exit code in the file REPORT.

The contract with :mod:`demo.supervision`: see :func:`leashed`.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path


def leashed(
    command: Sequence[str], *, lock: Path, grace: float, report: Path | None = None
) -> list[str]:
    """Return the command that runs `command` on a leash held by the owner of `lock`."""
    prefix = [sys.executable, "-m", "demo.leash", str(lock), str(grace)]
    return [*prefix, str(report or os.devnull), *command]


class _Leash:
    def __init__(self, *, grace: float) -> None:
        self._grace = grace
        self._child: subprocess.Popen[bytes] | None = None
        self.asked = False

    def run(self, command: Sequence[str]) -> int:
        """Run the command to its end, leave no child of it behind, and return its exit code."""
        self._child = subprocess.Popen(command, start_new_session=True)  # noqa: S603
        if self.asked:  # while the command was being started
            self._end()
        code = self._child.wait()
        self.kill()
        return code if code >= 0 else 128 - code

    def kill(self, *_: object) -> None:
        """Kill the command and all its children: its process group."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)

    def ask(self, *_: object) -> None:
        """Ask the command to end, and kill it where it does not."""
        if not self.asked:
            self.asked = True
            self._end()

    def kill_without_owner(self, lock: Path) -> None:
        """Wait until the lock has no owner any more, then kill."""
        with lock.open() as file:
            fcntl.lockf(file, fcntl.LOCK_SH)
            self.asked = True
            self.kill()

    def _end(self) -> None:
        if self._child is not None:
            self._child.terminate()
            signal.setitimer(signal.ITIMER_REAL, self._grace)


def _main(lock: str, grace: str, report: str, *command: str) -> int:
    leash = _Leash(grace=float(grace))
    signal.signal(signal.SIGALRM, leash.kill)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, leash.ask)
    threading.Thread(target=leash.kill_without_owner, args=(Path(lock),), daemon=True).start()
    code = leash.run(command)
    if not leash.asked:
        Path(report).write_text(str(code), encoding="ascii")
    return code


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
