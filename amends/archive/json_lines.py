"""An archive in files of JSON lines, one for each day."""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from amends.archive.document import ArchivedSaga

_SUFFIX: Final = ".jsonl"


class JsonLinesArchive:
    """Appends each saga to ``<directory>/<prefix>-<day>.jsonl``, a line each; the day is that of the write, UTC.

    directory: is made if it is not there. Processes of one machine, or of one volume whose locks hold, may share it.
    prefix: of the files' names.
    now: returns the present moment.

    A batch is on disk when a call returns (``fsync``). A saga may be there twice; the last line counts. What a killed process
    left of a line stays a line of its own, and is passed by. Raises ``OSError``.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        prefix: str = "sagas",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._directory = Path(directory)
        self._prefix = prefix
        self._now = now

    def __call__(self, sagas: Sequence[ArchivedSaga], /) -> None:
        """Append these sagas to the file of this day."""
        lines = b"".join(each.model_dump_json().encode() + b"\n" for each in sagas)
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{self._prefix}-{self._now():%Y-%m-%d}{_SUFFIX}"
        is_new = not path.exists()
        with _locked(path) as file:
            _append(file, lines)
        if is_new:
            _sync_directory(self._directory)

    def find(self, saga_id: str, /) -> ArchivedSaga | None:
        """Return the saga of this id as it came last, None if there is none. It reads the files, the newest first."""
        for path in sorted(self._directory.glob(f"{self._prefix}-*{_SUFFIX}"), reverse=True):
            found = None
            for saga in _read(path, f'"id":"{saga_id}"'.encode()):
                found = saga if saga.id == saga_id else found
            if found is not None:
                return found
        return None


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open a file to append to, while no other process does."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)  # which unlocks it


def _append(file: int, lines: bytes) -> None:
    """Append lines, or nothing of them: a disk may be full."""
    size = os.fstat(file).st_size
    is_torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"  # by a process that was killed
    left = memoryview(b"\n" + lines if is_torn else lines)
    try:
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)
        raise


def _sync_directory(directory: Path) -> None:
    """Let a file that was made survive a crash of the machine by its name, too."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _read(path: Path, mark: bytes) -> Iterator[ArchivedSaga]:
    """Yield the sagas of those lines that have a mark, and that are whole."""
    with path.open("rb") as file:
        for line in file:
            if mark in line:
                try:
                    yield ArchivedSaga.model_validate_json(line)
                except ValueError:
                    continue
