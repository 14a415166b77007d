"""Ended sagas are handed to the archive before they are removed."""

import logging
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from celery import Celery

from amends.archive.contents import archived
from amends.archive.document import ArchivedSaga
from amends.archive.protocol import Archive
from amends.backend.own_threads import round_of_own_thread
from amends.backend.settings import settings_of
from amends.definition.serialization import message_of, type_name
from amends.log.saga_log import log_of

PATIENCE: Final = 60.0
"""Seconds for which a batch is waited for. A call that takes longer goes on, and no other is made before it has returned."""
BATCH: Final = 50
"""Sagas that the archive is given at a time."""
_TURN: Final = 2 * PATIENCE
_TOLD_EVERY: Final = 600.0  # seconds
_LONGEST: Final = 300  # characters of a reason

_logger: Final = logging.getLogger(__name__)


class Archiving:
    """The batches of one worker.

    patience: seconds, see `PATIENCE`.
    """

    def __init__(self, app: Celery, archive: Archive, *, patience: float = PATIENCE) -> None:
        self._app = app
        self._archive = archive
        self._log = log_of(app)
        self._patience = patience
        self._token = secrets.token_hex(8)
        self._call: _Call | None = None  # the last one
        self._told_at: float | None = None  # when it was last said that the archive fails

    def taken_of(self, saga_ids: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
        """Hand ended sagas to the archive, batch by batch; yield how many each was, and the ids that may be removed of it.

        That is all but children that are kept for their parents.

        Ends at the first batch that it does not take, or at once if it is another worker's turn. Raises `LogUnavailable`.
        """
        log, ids = self._log, iter(saga_ids)
        while batch := list(islice(ids, BATCH)):
            if not log.archiving.take_archive_turn(self._token, lasts=_TURN):
                return
            free = log.maintenance.kept_by_none(batch)
            if reason := self._hand(free):
                log.archiving.note_archived(self._token, sagas=0, error=reason)
                self._tell(reason)
                return
            yield len(batch), free
        log.archiving.end_archive_turn(self._token)

    def _hand(self, saga_ids: Sequence[str]) -> str:
        """Hand sagas to the archive; return why it did not take them, or ''."""
        found = self._log.archiving.read_ended_sagas(saga_ids)
        sagas = [archived(each) for each in found if each.fields]
        if not sagas:
            return ""
        if self._call is not None and not self._call.has_returned(0.0):
            return f"a call has not returned for {self._call.age:,.0f} s"
        self._call = _Call(self._archive, sagas)
        if not self._call.has_returned(self._patience):
            return f"it has not returned within {self._patience:g} s"
        if not self._call.error:
            self._log.archiving.note_archived(self._token, sagas=len(sagas))
            self._told_at = None
        return self._call.error

    def _tell(self, reason: str) -> None:
        """Say that the archive fails: at first, and now and then."""
        now = time.monotonic()
        if self._told_at is None or now - self._told_at >= _TOLD_EVERY:
            self._told_at = now
            path = settings_of(self._app).archive
            _logger.error("ended sagas stay in the log: the archive %s fails: %s", path, reason)


class _Call:
    """One call of the archive, in a thread of its own: one that hangs keeps no worker."""

    def __init__(self, archive: Archive, sagas: Sequence[ArchivedSaga]) -> None:
        self._began = time.monotonic()
        self.error = "it ended its thread"
        arguments = (archive, sagas)
        name = "amends-archive"
        self._thread = threading.Thread(target=self._run, args=arguments, name=name, daemon=True)
        self._thread.start()

    def _run(self, archive: Archive, sagas: Sequence[ArchivedSaga]) -> None:
        try:
            with round_of_own_thread():
                archive(sagas)
        except Exception as error:  # noqa: BLE001 - an archive may raise anything
            # Its first line: those that follow may quote what is private.
            self.error = f"{type_name(error)}: {message_of(error)}".splitlines()[0][:_LONGEST]
        else:
            self.error = ""

    def has_returned(self, within: float) -> bool:
        """Wait for its end, so many seconds; tell whether it has ended."""
        self._thread.join(within)
        return not self._thread.is_alive()

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began
