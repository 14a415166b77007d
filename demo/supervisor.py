"""The process that runs honcho over a set of programs: ``python -m demo.supervisor ORDER``.

It is started by :mod:`demo.supervision`, in a process of its own because honcho owns the signals and the main
thread of the process that it runs in. When one program ends, honcho ends the others.
"""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from honcho.manager import Manager  # type: ignore[import-untyped]
from honcho.printer import Message, Printer  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict

from demo.leash import leashed

# Below the 5 s after which honcho kills, itself without asking (`KILL_WAIT` in honcho/manager.py): the leash has to
# be there to end the children of a program.
GRACE = 4.0


class SupervisionOrder(BaseModel):
    """What to run, where to log it, and whether to print it too; JSON on the command line."""

    model_config = ConfigDict(frozen=True)

    directory: Path
    lock: Path
    programs: Mapping[str, list[str]]
    echo: bool


class Logbook:
    """A honcho printer that keeps one log file per program, and prints if asked."""

    width = len("compensations")

    def __init__(self, directory: Path, *, echo: bool) -> None:
        self._directory = directory
        self._terminal = Printer(sys.stdout, width=self.width) if echo else None
        self._files: dict[str, IO[bytes]] = {}

    def write(self, message: Message) -> None:
        """Take one line of a program (bytes) or of honcho itself (text)."""
        if self._terminal is not None:
            self._terminal.write(message)
        if isinstance(message.data, bytes):
            self._file(message.name).write(message.data)

    def _file(self, name: str) -> IO[bytes]:
        if name not in self._files:
            self._files[name] = (self._directory / f"{name}.log").open("ab", buffering=0)
        return self._files[name]


def main(order: SupervisionOrder) -> int:
    """Run the programs until one of them ends or a signal comes, and return honcho's exit code."""
    manager = Manager(printer=Logbook(order.directory, echo=order.echo))
    for name, program in order.programs.items():
        report = order.directory / f"{name}.exit"
        command = leashed(program, lock=order.lock, grace=GRACE, report=report)
        manager.add_process(name, f"exec {shlex.join(command)}")
    manager.loop()
    return int(manager.returncode or 0)


if __name__ == "__main__":
    sys.exit(main(SupervisionOrder.model_validate_json(sys.argv[1])))
