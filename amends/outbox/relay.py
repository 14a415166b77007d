"""The relay: delivers what a crash or an outage left in the outbox."""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from celery import Celery

from amends.backend.settings import settings_of
from amends.definition.serialization import message_of
from amends.errors import UnreadableData
from amends.outbox import table
from amends.outbox.database import Database
from amends.outbox.delivery import AWAY, start_entry
from amends.outbox.entry import Entry

_logger: Final = logging.getLogger(__name__)

BATCH: Final = 100
"""Entries that are claimed at once."""

LEASE: Final = 60.0
"""Seconds after which other relays take what this one has claimed, and not settled."""

_FIRST_WAIT: Final = 5.0
_LONGEST_WAIT: Final = 300.0


class Relay:
    """Delivers entries that are due, beside any number of others.

    A transaction is never open while the log is asked: an entry is claimed by moving the time at which it is due.

    now: a clock in seconds since 1970.
    """

    def __init__(
        self, app: Celery, database: Database, *, now: Callable[[], float] = time.time
    ) -> None:
        self._app = app
        self._database = database
        self._now = now

    def run_once(self) -> bool:
        """Deliver a batch. Returns whether more is due.

        An entry that cannot be delivered is kept with its error, and tried again after 5, 10, 20, up to 300 s; the others
        go on. Raises `OutboxUnavailable`, and after putting back what it has claimed `LogUnavailable`,
        `ConfigurationError`.
        """
        claimed = self._claim(now := self._now())
        delivered: list[Entry] = []
        failed: dict[Entry, str] = {}
        try:
            for each in claimed:
                if self._now() > now + LEASE / 2:
                    break  # the broker stands still: another relay may soon take the rest
                try:
                    self._deliver(each)
                except AWAY:
                    raise
                except Exception as error:  # noqa: BLE001 - a route of the app's own may raise anything
                    failed[each] = message_of(error)
                else:
                    delivered.append(each)
        finally:
            self._settle(claimed, delivered, failed)
        return len(claimed) == BATCH or len(delivered) + len(failed) < len(claimed)

    def _claim(self, now: float) -> list[Entry]:
        how: Any = {"now": now, "until": now + LEASE, "limit": BATCH}
        namespace = settings_of(self._app).namespace or ""
        with self._database.transaction() as connection:
            return table.claim(connection, namespace=namespace, **how)

    def _deliver(self, entry: Entry) -> None:
        age = self._now() - entry.written_at
        if age > settings_of(self._app).retention:
            raise UnreadableData(
                f"it has waited for {age:,.0f} s, longer than amends_retention: it may have been delivered, and its saga may have"
                " ended and been removed. Delete it if so, or set its written_at to now"
            )
        start_entry(self._app, entry)

    def _settle(
        self, claimed: list[Entry], delivered: list[Entry], failed: dict[Entry, str]
    ) -> None:
        """Delete what was delivered, and say of the rest when it is due again."""
        if not claimed:
            return
        now = self._now()
        with self._database.transaction() as connection:
            table.remove(connection, [each.entry_id for each in delivered])
            for entry, error in failed.items():
                wait = min(_FIRST_WAIT * 2 ** min(entry.tries, 10), _LONGEST_WAIT)
                table.postpone(connection, entry, due_at=now + wait, error=error)
            for entry in claimed[len(delivered) + len(failed) :]:
                table.put_back(connection, entry, due_at=now)
        for entry, error in failed.items():
            _logger.error("saga %s cannot be started from the outbox: %s", entry.saga_id, error)
