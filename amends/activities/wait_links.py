"""Links that an activity makes to the waits of its saga."""

import time
from collections import Counter
from math import inf
from typing import Any, Final

from celery import current_app
from pydantic import BaseModel

from amends.backend.http_settings import no_key, no_url
from amends.backend.settings import settings_of
from amends.definition.itinerary import Itinerary
from amends.definition.numbers import is_number
from amends.definition.plans import WaitPlan
from amends.definition.serialization import canonical_json, dumped, read_back
from amends.definition.signal_models import known_models
from amends.definition.wait_token import WaitLink, nonce_of
from amends.errors import did_you_mean

LASTS: Final = 7 * 86400.0
"""Seconds that a link lasts to a wait without a timeout."""
_LONGEST_LAST: Final = 100 * 365 * 86400.0  # a year of four digits
_LONGEST_URL: Final = 2000  # characters: what mail programs, browsers and proxies all take


class WaitLinks:
    """The links that one attempt makes.

    made_by: idempotency key of the attempt. By it a repeated attempt makes the same links again: in two mails that say the
        same, there is one signal.
    """

    def __init__(self, itinerary: Itinerary, saga_id: str, *, made_by: str) -> None:
        self._itinerary = itinerary
        self._saga_id = saga_id
        self._made_by = made_by
        self._made: Counter[str] = Counter()

    def url(self, name: str, value: Any, *, by: str | None, expires: float | None) -> str:
        """Return a link, see `Context.wait_url`."""
        settings = settings_of(current_app)
        if settings.http_url is None:
            raise no_url()
        if settings.http_key is None:
            raise no_key()
        wait = self._wait_of(name)
        lasts = expires if expires is not None else wait.seconds or LASTS
        if not (is_number(lasts) and 0 < lasts < inf):
            raise ValueError(f"wait_url({name!r}): expires is {expires!r}, not a time in seconds")
        given = self._given(name, value)
        link = WaitLink(
            saga=self._itinerary.saga,
            saga_id=self._saga_id,
            wait=name,
            nonce=self._nonce(name, canonical_json(given), by or ""),
            expires_at=round(time.time() + min(lasts, _LONGEST_LAST)),
            by=by,
            value=given,
        )
        url = f"{settings.http_url}/{link.token(settings.http_key[0])}"
        if len(url) > _LONGEST_URL:
            raise ValueError(
                f"wait_url({name!r}): the link has {len(url):,} characters, and may have {_LONGEST_URL:,}:"
                " the signal is a part of it, so keep that short"
            )
        return url

    def _wait_of(self, name: str) -> WaitPlan:
        waits = {
            step.name: step.wait for step in self._itinerary.steps if step.wait and step.wait.count
        }
        if name not in waits:
            hint = did_you_mean(name, waits) or f"; it waits for {', '.join(waits) or 'no signal'}"
            raise ValueError(f"saga {self._itinerary.saga} waits for no {name}{hint}")
        return waits[name]

    def _given(self, name: str, value: Any) -> Any:
        """Hold a signal to its model, as far as this process has that, and return its JSON data."""
        saga = self._itinerary.saga
        model = known_models(saga).get(name)
        if model is None and isinstance(value, BaseModel):
            return dumped(value)
        if model is None:
            raise ValueError(
                f"wait_url({name!r}): this process has no definition of saga {saga}, and so does not know what"
                f" {name} is like: give the value as an instance of its model"
            )
        if value is None and any(each.is_required() for each in model.model_fields.values()):
            raise ValueError(
                f"wait_url({name!r}): give the signal that the link means, a {model.__name__}"
            )
        what = f"the signal {name} of {self._saga_id}"
        return dumped(read_back(model, {} if value is None else value, what))

    def _nonce(self, *parts: str) -> str:
        """Return what tells this link from others. The same call twice makes two links: each may go to somebody else."""
        which = "\n".join(parts)
        self._made[which] += 1
        return nonce_of(self._made_by, parts, self._made[which])
