"""The first messages of sagas: in the log's own script, published after it, or left to a sweep where the start is delayed."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import inf
from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError

from amends.backend.settings import celery_setting, settings_of
from amends.definition.itinerary import Itinerary
from amends.definition.spread import spread_of
from amends.definition.states import SagaStatus
from amends.dispatch.coordinator import advance, publish_many
from amends.dispatch.fast_path import deliveries
from amends.dispatch.messages import plays_messages
from amends.dispatch.routing import check_first_routes
from amends.log.answers import Publish
from amends.log.delivery import NOWHERE, Delivery
from amends.log.starts import AlreadyThere, Delayed, Start, Started

_logger: Final = logging.getLogger(__name__)


class FirstMessages:
    """The first message of each saga of one definition."""

    def __init__(self, itinerary: Itinerary) -> None:
        self._itinerary = itinerary
        records = [(name, 0) for name in itinerary.first_chain]
        self._first = Publish(itinerary=itinerary, number=1, wait=0.0, records=records)

    def of(
        self,
        app: Celery,
        saga_ids: Sequence[str],
        *,
        at: datetime | None = None,
        after: float | None = None,
    ) -> Sequence[Delivery] | None:
        """Return what the log delivers at the start of each, in place of messages the time at which it begins; None for nothing.

        at, after: see `Saga.start`. Raises ``ValueError`` for what is no time.
        """
        begins = _begins(at, after)
        if begins is None or celery_setting(app, "task_always_eager"):  # as Celery's own countdowns
            return deliveries(app, saga_ids, self._first) if self._first.records else None
        sign, milliseconds = begins
        spread = settings_of(app).timer_spread * 1000
        times = [milliseconds + round(spread_of(saga_id, spread)) for saga_id in saga_ids]
        return [Delivery(text=f"{sign}{max(0, time)}", destination=NOWHERE) for time in times]

    def check_routes(self, app: Celery, saga_ids: Sequence[str]) -> None:
        """Raise what a function in ``task_routes`` raises for the first messages, before anything is written."""
        check_first_routes(app, self._itinerary, saga_ids)

    def publish(self, app: Celery, answers: Mapping[str, Start]) -> bool:
        """Publish what was started; answers whether the broker is there."""
        started = [saga_id for saga_id, answer in answers.items() if isinstance(answer, Started)]
        try:
            if started and self._first.records:
                publish_many(app, started, self._first)
            for saga_id, answer in answers.items():
                is_pending = answer == AlreadyThere(SagaStatus.PENDING)  # perhaps never published
                is_played = isinstance(answer, Delayed) and plays_messages(app)
                opens = answer == Started(0) and not self._first.records
                if is_pending or is_played or opens:
                    advance(app, saga_id)
        except OperationalError as error:
            _logger.warning(
                "saga %s is in the log and runs once the broker is back, as do those started with it: %s",
                next(iter(answers)),
                error,
            )
            return False
        except Exception:
            if plays_messages(app):  # it ran here
                raise
            _logger.exception(
                "saga %s is in the log, as are those started with it, and cannot be published until that is mended",
                next(iter(answers)),
            )
        return True


def _begins(at: datetime | None, after: float | None) -> tuple[str, int] | None:
    """Return when a saga begins, as the log takes it: from now (``+``) or since 1970, and milliseconds; None for at once."""
    if at is not None and after is not None:
        raise ValueError(
            "start(at=, after=): say one of them, when it begins or in how many seconds"
        )
    if after is not None:
        is_number = isinstance(after, int | float) and not isinstance(after, bool)
        if not is_number or not 0 <= after < inf:
            raise ValueError(f"after={after!r} is not a number of seconds from now, 0 or more")
        return "+", round(after * 1000)
    if at is None:
        return None
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise ValueError(
            f"at={at!r} is not an aware datetime: give it a time zone, as datetime(..., tzinfo=ZoneInfo('Europe/Berlin'))"
        )
    return "", round(at.timestamp() * 1000)
