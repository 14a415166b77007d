"""After a failover or a restart of the log: what it had acknowledged to this worker, and has lost."""

import logging
from collections.abc import Iterable

from celery import Celery

from amends.backend.settings import settings_of
from amends.errors import ConfigurationError, LogUnavailable
from amends.log.queries.lost_writes import Acknowledged, LostWrite
from amends.log.saga_log import log_of

_NAMED = 10  # sagas that a line names

_logger = logging.getLogger(__name__)


class Failovers:
    """Compares what a worker remembers with the log, each time that the log's primaries are others than before.

    app: whose log it is.
    acknowledged: the transitions that the worker's processes remember.
    """

    def __init__(self, app: Celery, acknowledged: Iterable[Acknowledged]) -> None:
        self._app = app
        self._acknowledged = acknowledged
        self._servers: frozenset[str] = frozenset()
        self._is_compared = False
        self._told: set[LostWrite] = set()

    def look(self) -> list[LostWrite]:
        """Return what is newly found to be lost, and keep it in the log; nothing where that cannot be asked now.

        It compares twice after a change: at first, another process of the worker may still write to the primary of before.
        """
        try:
            servers = log_of(self._app).lost_writes.read_servers()
            is_known = servers == self._servers
            lost = [] if is_known and self._is_compared else self._compare()
        except (LogUnavailable, ConfigurationError):  # away, full, or it keeps INFO to itself
            return []
        self._is_compared = is_known or not self._servers  # there was none before the first look
        self._servers = servers
        return lost

    def _compare(self) -> list[LostWrite]:
        writes, kept_for = log_of(self._app).lost_writes, settings_of(self._app).retention
        found = writes.find(self._acknowledged, kept_for=kept_for)
        lost = [each for each in found if each not in self._told]
        writes.note(lost)
        self._told.update(lost)
        if lost:
            _tell(lost)
        return lost


def _tell(lost: list[LostWrite]) -> None:
    sagas = list(dict.fromkeys(each.saga_id for each in lost))
    named = ", ".join(sagas[:_NAMED]) + (", ..." if len(sagas) > _NAMED else "")
    _logger.error(
        "the saga log's Redis lost %d transitions of %d sagas that it had acknowledged: %s;"
        " `celery saga doctor --after-failover` lists them",
        len(lost),
        len(sagas),
        named,
    )
