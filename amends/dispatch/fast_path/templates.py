"""Templates of chains, and where they may stand for the canvas."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

from dataclasses import dataclass, field, replace
from functools import lru_cache

from celery import Celery

from amends.backend.settings import Settings, celery_setting, settings_of
from amends.dispatch.canvas import canvas
from amends.dispatch.fast_path.chain_template import NUMBER, SAGA, ChainTemplate
from amends.dispatch.messages import advance_message
from amends.log.remaining import Publish


@dataclass(frozen=True, kw_only=True)
class _Chain:
    """What the template of a chain depends on. Tries are mostly 0, so there are few of them."""

    app: Celery
    settings: Settings
    default_queue: str
    sends_events: bool
    digest: str
    records: tuple[tuple[str, int], ...]
    what: Publish = field(compare=False)


def template_of(app: Celery, what: Publish) -> ChainTemplate:
    """Return the template of the chain of these records, made once for all sagas and numbers."""
    of = _Chain(
        app=app,
        settings=settings_of(app),
        default_queue=celery_setting(app, "task_default_queue"),
        sends_events=bool(celery_setting(app, "task_send_sent_event")),
        digest=what.itinerary.digest,
        records=tuple(what.records),
        what=what,
    )
    return _template(of)


@lru_cache(maxsize=1_000)
def _template(of: _Chain) -> ChainTemplate:
    chained = canvas(of.app, SAGA, replace(of.what, number=NUMBER))
    return ChainTemplate(of.app, chained, advance_message(of.app, SAGA, NUMBER))
