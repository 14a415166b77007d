"""What `amends_archive` names, and how it is found."""

import importlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol, runtime_checkable

from celery import Celery

from amends.archive.document import ArchivedSaga
from amends.backend.settings import settings_of
from amends.errors import ConfigurationError


class Archive(Protocol):
    """Takes ended sagas. A function is one."""

    def __call__(self, sagas: Sequence[ArchivedSaga], /) -> None:
        """Keep these sagas; return once they are on disk, or raise.

        It is called in a thread of a worker's main process, by one worker at a time. A saga may come again: if a worker dies
        between this call and the removal, if the call takes longer than a minute, and if it raises, which gives the whole batch again.
        """


@runtime_checkable
class ReadableArchive(Protocol):
    """An archive that finds again what it took."""

    def __call__(self, sagas: Sequence[ArchivedSaga], /) -> None:
        """Keep these sagas, as `Archive` does."""

    def find(self, saga_id: str, /) -> ArchivedSaga | None:
        """Return the saga of this id, as it came last; None if there is none."""


def archive_of(app: Celery) -> Archive | None:
    """Return the archive that `amends_archive` names, None without one. Raises `ConfigurationError`."""
    path = settings_of(app).archive
    return None if path is None else _load(path)


@lru_cache
def _load(path: str) -> Archive:
    module, _, name = path.partition(":")
    try:
        found: Archive = getattr(importlib.import_module(module), name)
    except Exception as error:  # a module may raise anything
        told = f"{type(error).__name__}: {error}"
        raise ConfigurationError(
            f"amends_archive is {path!r}, which cannot be imported ({told}); name an archive as <module>:<name>"
        ) from error
    if not callable(found) or isinstance(found, type):
        raise ConfigurationError(
            f"amends_archive is {path!r}, a {type(found).__name__} that cannot be called with sagas: name a function, or an"
            " archive that was made, such as shop.archive:archive with archive = JsonLinesArchive(...)"
        )
    return found
