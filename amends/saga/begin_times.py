"""Sagas that do not begin at once: their start is delayed, or their first message cannot be published."""

import logging
from collections.abc import Sequence
from datetime import datetime
from math import inf
from typing import Any, Final

from celery import Celery

from amends.backend.settings import celery_setting, settings_of
from amends.definition.itinerary import Itinerary
from amends.definition.numbers import is_number
from amends.definition.spread import spread_of
from amends.dispatch.routing import check_first_routes
from amends.log.delivery import NOWHERE, Delivery

_logger: Final = logging.getLogger(__name__)


def checked_begins(
    app: Celery,
    itinerary: Itinerary,
    saga_ids: Sequence[str],
    *,
    at: datetime | None = None,
    after: float | None = None,
) -> list[Delivery] | None:
    """Check where first messages go, and return when sagas that are delayed begin, as the log takes it; else None.

    at, after: see `Saga.start`. Raises ``ValueError`` for what is no time, and what a function in ``task_routes`` raises.
    """
    router: Any = app.amqp.router
    if router.routes:
        check_first_routes(app, itinerary, saga_ids)
    is_delayed = at is not None or after is not None
    if not is_delayed or celery_setting(app, "task_always_eager"):  # as Celery's own countdowns
        return None
    sign, milliseconds = _begins(at, after)
    spread = settings_of(app).timer_spread * 1000
    times = [milliseconds + round(spread_of(saga_id, spread)) for saga_id in saga_ids]
    return [Delivery(text=f"{sign}{max(0, time)}", destination=NOWHERE) for time in times]


def _begins(at: datetime | None, after: float | None) -> tuple[str, int]:
    """Return when a saga begins, as the log takes it: from now (``+``) or since 1970, and milliseconds."""
    if at is not None and after is not None:
        raise ValueError(
            "start(at=, after=): say one of them, when it begins or in how many seconds"
        )
    if after is not None:
        if not (is_number(after) and 0 <= after < inf):
            raise ValueError(f"after={after!r} is not a number of seconds from now, 0 or more")
        return "+", round(after * 1000)
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise ValueError(
            f"at={at!r} is not an aware datetime: give it a time zone, as datetime(..., tzinfo=ZoneInfo('Europe/Berlin'))"
        )
    return "", round(at.timestamp() * 1000)


def tell_of_outage(saga_id: str, error: Exception) -> None:
    """Say that the first messages of these sagas wait for the broker."""
    _logger.warning(
        "saga %s is in the log and runs once the broker is back, as do those started with it: %s",
        saga_id,
        error,
    )


def tell_of_failure(saga_id: str, error: Exception) -> None:
    """Say that the first messages of these sagas cannot be published, and why."""
    _logger.error(
        "saga %s is in the log, as are those started with it, and cannot be published until that is mended",
        saga_id,
        exc_info=error,
    )
