"""Programs that run on a leash of this process, each separately killable, and end with it."""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from demo.leash import leashed

ROOT = Path(__file__).resolve().parent.parent
# Importing the application, with everything else starting at the same time, takes seconds on a small machine.
READY_WITHIN = 60.0
STOPS_WITHIN = 5.0
PERIOD = 0.02
TAIL = 20
STOPPED = {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}


class DemoError(RuntimeError):
    """The system cannot run on this machine; the message says why and what to do."""


class NotInstalled(DemoError):  # noqa: N818 - reads as the sentence it is
    """A server is not installed."""


@contextlib.contextmanager
def owned(directory: Path) -> Iterator[Path]:
    """Lock a directory, made if missing and cleared of logs; yield its absolute path.

    Raises :class:`DemoError` if another process holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a+", encoding="ascii") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise DemoError(
                f"process {file.read()} runs in {directory} already: end it first, or use another directory"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        for stale in directory.glob("*.log"):
            stale.unlink()
        yield directory.resolve()


@contextlib.contextmanager
def running(*programs: "Program") -> Iterator[None]:
    """Run programs while the context is open: wait until all answer, and ask all to end together."""
    try:
        start(*programs)
        yield
    finally:
        for program in programs:
            program.ask_to_stop()
        for program in programs:
            program.stop()


def start(*programs: "Program") -> None:
    """Start what does not run, thaw what is frozen, and wait until all answer. Raises :class:`DemoError`."""
    for program in programs:
        program.thaw()
        program.start()
    for program in programs:
        program.await_ready()


class Program:
    """One program, which logs to ``<name>.log`` and ends with this process.

    Every method may be called in any state: what is dead is not killed, what runs is not started.

    name: of the log, and of the program in messages.
    command: its words.
    directory: where it logs.
    environment: on top of this process's own.
    """

    grace = 30.0  #: Seconds from :meth:`stop` to a kill: above a warm shutdown that waits for a slow step.

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self.frozen = False
        self._command = command
        self._environment = environment or {}
        self._leash: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self._asked = False  # to end
        self._started_at = self._read_to = 0  # bytes of the log

    def answers(self) -> bool:
        """Return whether it is ready for work."""
        return self.runs

    def start(self, *, wait: bool = False) -> None:
        """Start it; with `wait`, return when it answers."""
        if not self.runs:
            self._launch()
        if wait:
            self.await_ready()

    def kill(self) -> None:
        """Kill it and its children with -9, as a power failure does."""
        self._asked = True
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        self._reap()

    def freeze(self) -> None:
        """Stop it and its children (SIGSTOP), and wait until each has stopped."""
        if (pid := self.pid) is not None:
            os.killpg(pid, signal.SIGSTOP)
            self.frozen = True
            deadline = time.monotonic() + STOPS_WITHIN
            for each in (pid, *self.children):
                with contextlib.suppress(psutil.NoSuchProcess):
                    while psutil.Process(each).status() not in STOPPED:
                        if time.monotonic() > deadline:
                            return
                        time.sleep(0.001)

    def thaw(self) -> None:
        """Let it go on after :meth:`freeze`."""
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
        """Whether it ended unasked."""
        return self._leash is not None and not self._asked and self._leash.poll() is not None

    @property
    def pid(self) -> int | None:
        """The pid of the program, which is its process group's too; None if it does not run."""
        if not self.runs:
            self._pid = None
        elif self._pid is None:
            self._pid = self._find_pid()
        return self._pid

    @property
    def children(self) -> list[int]:
        """The pids of its children, in their order; such as those of a prefork pool."""
        with contextlib.suppress(psutil.NoSuchProcess):
            if (pid := self.pid) is not None:
                return sorted(child.pid for child in psutil.Process(pid).children())
        return []

    def check(self) -> None:
        """Raise :class:`DemoError` if it ended unasked."""
        if self.failed and self._leash is not None:
            raise DemoError(
                f"{self.name} ended with exit code {self._leash.returncode}{self._tail()}"
            )

    def await_ready(self, timeout: float = READY_WITHIN) -> None:
        """Wait until it answers, `timeout` seconds at most. Raises :class:`DemoError` if it does not."""
        deadline = time.monotonic() + timeout
        while not self.answers():
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(f"{self.name} did not answer within {timeout:g} s{self._tail()}")
            time.sleep(PERIOD)

    def logged(self) -> str:
        """Return its log since its last start."""
        return self._log_from(self._started_at).decode(errors="replace")

    def new_lines(self) -> list[str]:
        """Return the lines of its log since the last call."""
        text = self._log_from(self._read_to)
        whole = text[: text.rfind(b"\n") + 1]
        self._read_to += len(whole)
        return whole.decode(errors="replace").splitlines()

    def _launch(self) -> None:
        self.frozen, self._pid, self._asked = False, None, False
        with self.log.open("ab") as log:
            self._started_at = log.tell()
            self._leash = subprocess.Popen(  # noqa: S603 - our own command
                leashed(self._command, grace=self.grace),
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the owner
            )

    def _find_pid(self) -> int | None:
        """Wait for the child of the leash; before it runs the command it is a copy of the leash in its group."""
        while self.runs and self._leash is not None:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                for child in psutil.Process(self._leash.pid).children():
                    if os.getpgid(child.pid) == child.pid:
                        return int(child.pid)
            time.sleep(PERIOD)
        return None

    def _reap(self) -> None:
        if self._leash is not None:
            self._leash.wait()
        self._leash, self._pid, self.frozen = None, None, False

    def _log_from(self, start: int) -> bytes:
        with self.log.open("rb") as log:
            log.seek(start)
            return log.read()

    def _tail(self) -> str:
        lines = [f"  {line}" for line in self.logged().splitlines()[-TAIL:]]
        return "\n".join([f"; the end of {self.log}:", *lines])
