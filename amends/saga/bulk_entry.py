"""The entry that an act on many sagas has in the list of acts, from its begin to its end."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from celery import Celery

from amends.errors import ConfigurationError, LogUnavailable
from amends.log.acts.act import BulkAct, Progress
from amends.log.saga_log import log_of

_EVERY: Final = 1.0  # seconds between two updates
_COUNTS: Final = {"unknown": "refused", "unavailable": "unknown"}
"""The counts of verdicts that are not called like them: there is no such saga; the log did not answer."""
_logger = logging.getLogger(__name__)


class BulkEntry:
    """Lists an act on many sagas while it goes on, as a context manager: begun at its start, updated each second, ended at its end.

    A log that is away stops nothing: that is logged, and the entry counts as interrupted.
    """

    def __init__(self, app: Celery, act: BulkAct, matched: int, *, off: bool = False) -> None:
        """Make the entry.

        act: the act, as it begins.
        matched: sagas that it is for.
        off: whether nothing is listed.
        """
        self._app, self._act, self._off = app, act, off
        self.progress = Progress(matched=matched)
        self._updates_at = 0.0

    def __enter__(self) -> Self:
        self._write(lambda: log_of(self._app).acts.begin(self._act, self.progress))
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        told = self.progress
        is_cut = told.done + told.refused < told.matched
        is_interrupted = error is not None or is_cut
        self._write(
            lambda: log_of(self._app).acts.end(self._act, told, is_interrupted=is_interrupted)
        )

    def count(self, verdicts: Iterable[str]) -> None:
        """Count the results of sagas: each ``done``, ``refused``, ``unknown``, ``unavailable`` or ``not_tried``."""
        for name, count in Counter(_COUNTS.get(each, each) for each in verdicts).items():
            self.progress = replace(self.progress, **{name: getattr(self.progress, name) + count})
        if time.monotonic() >= self._updates_at:
            self._write(lambda: log_of(self._app).acts.update(self._act, self.progress))

    def go_on_at(self, after: str | None, *, matched: int) -> None:
        """Note where the filter goes on, and how many sagas it has found until now."""
        self.progress = replace(self.progress, after=after, matched=matched)

    def _write(self, write: Callable[[], None]) -> None:
        if self._off:
            return
        self._updates_at = time.monotonic() + _EVERY
        try:
            write()
        except (LogUnavailable, ConfigurationError) as error:
            _logger.warning(
                "act %s: the list of acts does not have how far it is: %s", self._act.act_id, error
            )
