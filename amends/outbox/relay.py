"""The relay: delivers what a crash or an outage left in the outbox."""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from celery import Celery

from amends.backend.outage_lines import OUTAGE
from amends.backend.settings import settings_of
from amends.dispatch.children import STARTS
from amends.outbox import table
from amends.outbox.database import Database
from amends.outbox.delivery import Starts, reason_of, start_entries
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

        An entry that cannot be delivered is kept with its error, and tried again after 5, 10, 20, up to 300 s; one for which
        the log is away is tried again after 5 s. The others go on. Raises `OutboxUnavailable`, and if the log was away for
        all of them or for many in a row `LogUnavailable`, `ConfigurationError`.
        """
        claimed = self._claim(now := self._now())
        if not claimed:
            return False
        # While the broker stands still, another relay may soon take the rest.
        found = start_entries(self._app, claimed, is_late=lambda: self._now() > now + LEASE / 2)
        self._settle(found)
        if found.away:
            error = next(iter(found.away.values()))
            if found.rest or not found.delivered:
                raise error
            OUTAGE.warn(
                _logger, "%d starts wait in the outbox: %s", len(found.away), reason_of(error)
            )
        return bool(found.rest) or len(claimed) == BATCH

    def _claim(self, now: float) -> list[Entry]:
        how: Any = {"now": now, "until": now + LEASE, "limit": BATCH}
        namespace = settings_of(self._app).namespace or ""
        with self._database.transaction() as connection:
            return table.claim(connection, namespace=namespace, sagas=list(STARTS), **how)

    def _settle(self, found: Starts) -> None:
        """Delete what was delivered, and say of the others when they are due again."""
        now = self._now()
        with self._database.transaction() as connection:
            table.remove(connection, [each.entry_id for each in found.delivered])
            for entry, error in found.failed.items():
                wait = min(_FIRST_WAIT * 2 ** min(entry.tries, 10), _LONGEST_WAIT)
                table.postpone(connection, entry, due_at=now + wait, error=reason_of(error))
            for entry in found.away:  # behind the others, whose part of the log may be there
                table.put_back(connection, entry, due_at=now + _FIRST_WAIT)
            for entry in found.rest:
                table.put_back(connection, entry, due_at=now)
        for entry, error in found.failed.items():
            told = reason_of(error)
            _logger.error("saga %s cannot be started from the outbox: %s", entry.saga_id, told)
