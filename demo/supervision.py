"""Programs that run while a context is open, supervised by honcho, and that end with it.

::

    owner (this process, which holds the lock)
    `-- leash -- supervisor: honcho
                 |-- leash -- program
                 `-- leash -- program
"""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from demo.errors import AlreadyRunning, NotReady, ProcessEnded
from demo.leash import leashed
from demo.supervisor import SupervisionOrder

ROOT = Path(__file__).resolve().parent.parent
# Above what honcho and its leashes take to kill a program that does not end (5 s).
GRACE = 8.0
TAIL = 20


@contextlib.contextmanager
def owned(directory: Path) -> Iterator["Owner"]:
    """Own a directory, made where it is missing, while the context is open.

    What an earlier owner logged there is removed. Raises :class:`AlreadyRunning` where another process owns it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lock = directory / "lock"
    with lock.open("a+", encoding="ascii") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = lock.read_text(encoding="ascii").strip() or "?"
            raise AlreadyRunning(
                f"process {pid} runs in {directory} already: end it first, or use another directory"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        for stale in (*directory.glob("*.log"), *directory.glob("*.exit")):
            stale.unlink()
        yield Owner(directory)


class Owner:
    """What this process runs in one directory: logs in ``<name>.log``, nothing outlives this process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._supervisors: dict[str, subprocess.Popen[bytes]] = {}  # by program

    @contextlib.contextmanager
    def running(
        self, programs: Mapping[str, Sequence[str]], *, environment: Mapping[str, str], echo: bool
    ) -> Iterator[None]:
        """Run `programs` (name to command) under honcho while the context is open.

        `environment` comes on top of this process's own; `echo` prints the logs too. When one program ends,
        all of them end, and :meth:`check` says so.
        """
        order = SupervisionOrder(
            directory=self.directory.resolve(),
            lock=self.lock,
            programs={name: list(command) for name, command in programs.items()},
            echo=echo,
        )
        command = [sys.executable, "-m", "demo.supervisor", order.model_dump_json()]
        with self._leashed(
            command,
            grace=GRACE,
            environment=environment,
            output=None if echo else subprocess.DEVNULL,
        ) as process:
            supervisors = self._supervisors
            self._supervisors = supervisors | dict.fromkeys(programs, process)
            try:
                yield
            finally:
                self._supervisors = supervisors

    def run(self, command: Sequence[str], *, environment: Mapping[str, str]) -> int:
        """Run one command to its end, printing what it prints, and return its exit code.

        Raises :class:`ProcessEnded` as soon as a supervised program ends.
        """
        with self._leashed(command, grace=2.0, environment=environment, output=None) as process:
            while (code := process.poll()) is None and not self._has_ended():
                time.sleep(0.1)
        if code is None:
            self.check()
        return process.returncode

    def check(self) -> None:
        """Raise :class:`ProcessEnded` if a supervised program, or a supervisor, ended by itself."""
        for report in sorted(self._reports(), key=lambda report: report.stat().st_mtime_ns):
            self._supervisors[report.stem].wait()  # for the end of the log
            code = report.read_text(encoding="ascii")
            raise ProcessEnded(
                f"{report.stem} ended with exit code {code}{self._tail(report.stem)}"
            )
        for name, supervisor in self._supervisors.items():
            if supervisor.poll() is not None:
                raise ProcessEnded(
                    f"the supervisor of {name} ended with exit code {supervisor.returncode}"
                )

    def _has_ended(self) -> bool:
        dead = any(supervisor.poll() is not None for supervisor in self._supervisors.values())
        return dead or bool(self._reports())

    def _reports(self) -> list[Path]:
        return list(self.directory.glob("*.exit"))

    def await_answer(self, name: str, answers: Callable[[], bool], *, timeout: float) -> None:
        """Wait until `answers()` is true of program `name`.

        Raises :class:`NotReady` after `timeout` seconds, and :class:`ProcessEnded` as :meth:`check` does.
        """
        deadline = time.monotonic() + timeout
        while not answers():
            self.check()
            if time.monotonic() > deadline:
                raise NotReady(f"{name} did not answer within {timeout:g} s{self._tail(name)}")
            time.sleep(0.05)

    @contextlib.contextmanager
    def _leashed(
        self,
        command: Sequence[str],
        *,
        grace: float,
        environment: Mapping[str, str],
        output: int | None,
    ) -> Iterator["subprocess.Popen[bytes]"]:
        process = subprocess.Popen(  # noqa: S603 - our own command
            leashed(command, lock=self.lock, grace=grace),
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C is for the owner, who ends things in their order.
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait()

    @property
    def lock(self) -> Path:
        """The file whose lock this process holds: what hangs on it (:mod:`demo.leash`) ends with this process."""
        return (self.directory / "lock").resolve()

    def _tail(self, name: str) -> str:
        """Return the last lines of a program's log, with a heading that fits after an error."""
        log = self.directory / f"{name}.log"
        if not log.exists():
            return ""
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
        return "\n".join([f"; the end of {log}:", *(f"  {line}" for line in lines)])
