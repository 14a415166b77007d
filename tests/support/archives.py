"""Archives of tests: what `amends_archive` names by a path."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from amends.archive import ArchivedSaga
from amends.archive.json_lines import JsonLinesArchive

PATH: Final = "tests.support.archives:kept"
TAKING: Final = "tests.support.archives:taking"
ON_DISK: Final = "tests.support.archives:on_disk"


class Kept:
    """Keeps sagas in memory; `act` is called before, and may raise or hang."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.batches: list[list[ArchivedSaga]] = []
        self.act: Callable[[Sequence[ArchivedSaga]], object] = lambda _: None
        self.threads: set[str] = set()

    def __call__(self, sagas: Sequence[ArchivedSaga], /) -> None:
        self.threads.add(threading.current_thread().name)
        self.act(sagas)
        self.batches.append(list(sagas))

    def find(self, saga_id: str, /) -> ArchivedSaga | None:
        return next((each for each in reversed(self.sagas) if each.id == saga_id), None)

    @property
    def sagas(self) -> list[ArchivedSaga]:
        return [each for batch in self.batches for each in batch]


kept: Final = Kept()


def taking(sagas: Sequence[ArchivedSaga]) -> None:
    """Keep sagas where nothing finds them again."""
    kept(sagas)


class OnDisk(JsonLinesArchive):
    """An archive whose folder a test chooses."""

    def __init__(self) -> None:
        super().__init__("never-made")

    def move_to(self, directory: Path) -> None:
        self._directory = directory


on_disk: Final = OnDisk()
