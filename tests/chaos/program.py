"""One program of the system, on a leash of its own: it can be killed, frozen and started again.

Under honcho (:mod:`demo.supervision`) all programs end when one does, so what is to be killed runs here.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

import psutil  # type: ignore[import-untyped]

from demo.errors import NotReady, ProcessEnded
from demo.leash import leashed
from demo.supervision import ROOT, Owner

# Above what a warm shutdown takes that waits for a slow step; after it the leash kills.
GRACE = 30.0
TIMEOUT = 60.0
# The leash starts the command some time after it was started itself.
UNLEASHED = 20.0
SOON = 2.0
STOPPED = {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}


class Program:
    """One program, which logs to ``<name>.log`` of its owner's directory, and ends with its owner.

    `answers` says whether it is ready for work. The methods may be called in any state: what is dead is not
    killed, what runs is not started.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        owner: Owner,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.frozen = False
        self._command = command
        self._owner = owner
        self._environment = environment or {}
        self._leash: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self.log = owner.directory / f"{name}.log"
        self._logged = 0  # bytes, when it was started last
        self._asked = False  # to end

    def start(self, *, wait: bool = False) -> None:
        """Start it; with `wait`, return only when it answers."""
        if not self.runs:
            self._launch()
        if wait:
            self.await_ready()

    def kill(self) -> None:
        """Kill it and all of its children with -9, as a machine that loses power does."""
        self._asked = True
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        self._reap()

    def freeze(self) -> None:
        """Stop it and all of its children in what they do (SIGSTOP)."""
        if (pid := self.pid) is not None:
            os.killpg(pid, signal.SIGSTOP)
            self.frozen = True
            _await_stopped([pid, *self.children])

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        if self.frozen and (pid := self.pid) is not None:
            os.killpg(pid, signal.SIGCONT)
        self.frozen = False

    def stop(self) -> None:
        """Ask it to end, as a deployment does (SIGTERM), and wait until it has."""
        self.ask_to_stop()
        self._reap()

    def ask_to_stop(self) -> None:
        """Ask it to end, and do not wait."""
        self._asked = True
        self.thaw()
        if self._leash is not None:
            self._leash.terminate()

    @property
    def runs(self) -> bool:
        """Whether its process exists, frozen or not."""
        return self._leash is not None and self._leash.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it ended although nobody asked for it."""
        return self._leash is not None and not self._asked and self._leash.poll() is not None

    @property
    def lives(self) -> bool:
        """Whether it runs and is not frozen."""
        return self.runs and not self.frozen

    @property
    def pid(self) -> int | None:
        """The pid of the program itself, and of its process group; None where it does not run."""
        if not self.runs:
            self._pid = None
        elif self._pid is None:
            self._pid = self._find_pid()
        return self._pid

    @property
    def children(self) -> list[int]:
        """The pids of its children, such as those of a prefork pool, in the order of their pids."""
        if (pid := self.pid) is None:
            return []
        try:
            return sorted(child.pid for child in psutil.Process(pid).children())
        except psutil.NoSuchProcess:
            return []

    def answers(self) -> bool:
        """Say whether it is ready for work."""
        return self.runs

    def await_ready(self, timeout: float = TIMEOUT) -> None:
        """Wait until it answers. Raises :class:`NotReady`, and :class:`ProcessEnded` where it has ended."""
        deadline = time.monotonic() + timeout
        while not self.answers():
            if not self.runs:
                raise ProcessEnded(f"{self.name} ended instead of starting; see {self.log}")
            if time.monotonic() > deadline:
                raise NotReady(f"{self.name} did not answer within {timeout:g} s; see {self.log}")
            time.sleep(0.05)

    def logged(self) -> str:
        """Return what it has logged since it was started last."""
        with self.log.open("rb") as log:
            log.seek(self._logged)
            return log.read().decode(errors="replace")

    def _launch(self) -> None:
        self.frozen, self._pid, self._asked = False, None, False
        with self.log.open("ab") as log:
            self._logged = log.tell()
            self._leash = subprocess.Popen(
                leashed(self._command, lock=self._owner.lock, grace=GRACE),
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _find_pid(self) -> int | None:
        leash = self._leash
        deadline = time.monotonic() + UNLEASHED
        while leash is not None and leash.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(leash.pid).children():
                    # Before it runs the command, a child is a copy of the leash in its process group.
                    if os.getpgid(child.pid) == child.pid:
                        return int(child.pid)
            time.sleep(0.01)
        return None

    def _reap(self) -> None:
        if self._leash is not None:
            self._leash.wait()
        self._leash, self._pid, self.frozen = None, None, False


def _await_stopped(pids: Sequence[int]) -> None:
    """Wait until each of these processes has seen its SIGSTOP, or is gone."""
    deadline = time.monotonic() + SOON
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            while psutil.Process(pid).status() not in STOPPED and time.monotonic() < deadline:
                time.sleep(0.001)
