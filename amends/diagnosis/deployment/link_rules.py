"""Whether links to waits have what they need, where an app has any."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from amends.backend.settings import Settings
from amends.diagnosis.deployment.findings import Problem, warning

_HERE: Final = {"localhost", "127.0.0.1", "::1"}


@warning("config.links", fine="links to waits are not used, or have what they need")
def incomplete(settings: Settings) -> Iterator[Problem]:
    """Find the setting that is missing beside the other one, and a URL without TLS."""
    place, url, key = "Celery's configuration", settings.http_url, settings.http_key
    if (url is None) != (key is None):
        there, missing = ("amends_http_key", "amends_http_url")[:: 1 if key else -1]
        yield Problem(
            what=f"{there} is set and {missing} is not: an activity that calls wait_url here fails",
            where=place,
            remedy=f"set {missing} too, or neither",
        )
    parts = urlsplit(url or "")
    if parts.scheme == "http" and parts.hostname not in _HERE:
        yield Problem(
            what="amends_http_url begins with http://: who is on the way can read a link, and use it",
            where=place,
            remedy="serve amends.http by https://, and name that URL",
        )
