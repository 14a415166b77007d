"""The spellings of `amends_backend`: those by which Celery and kombu name a Redis, as redis-py reads them."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

import redis

from amends.errors import ConfigurationError, did_you_mean

IN_MEMORY: Final = "memory://"
_SCHEMES: Final[Mapping[str, str]] = {
    "redis": "redis",
    "rediss": "rediss",
    "valkey": "redis",
    "valkeys": "rediss",
    "unix": "unix",
    "socket": "unix",
    "redis+socket": "unix",
}
_NOT_YET: Final[Mapping[str, str]] = {
    "sentinel": "Sentinels",
    "redis+sentinel": "Sentinels",
    "rediss+sentinel": "Sentinels",
    "redis+cluster": "a cluster",
    "rediss+cluster": "a cluster",
    "valkey+cluster": "a cluster",
}


def redis_url(backend: object) -> str:
    """Return the URL of `amends_backend` as redis-py spells it; ``memory://`` stays.

    Raises `ConfigurationError` for one that no client can be made of. No password is in its message.
    """
    if not isinstance(backend, str) or "://" not in backend:
        raise _refused("is no URL")
    if backend.startswith(IN_MEMORY):
        return backend
    scheme, _, rest = backend.partition("://")
    if several := _NOT_YET.get(scheme):
        raise _refused(f"names {several}, for which amends has no client: name the primary")
    if scheme not in _SCHEMES:
        hint = did_you_mean(scheme, _SCHEMES) or f"; known: {', '.join(_SCHEMES)}"
        raise _refused(f"has the unknown scheme {scheme!r}{hint}")
    own = _SCHEMES[scheme]
    parts = _split(f"{own}://{rest}")
    query = "&".join(_spelled(*each.partition("=")[::2]) for each in parts.query.split("&") if each)
    url = f"{own}://{parts.netloc}{parts.path}{'?' if query else ''}{query}"
    _try_out(url)
    return url


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # whose text may have the password
        raise _refused(
            "has a host that is none, or a port that is no number;"
            " in a password, / ? # and [ are written %2F, %3F, %23 and %5B"
        ) from None
    if parts.fragment:
        raise _refused("has a #, which is written %23 in a password")
    database = parts.path.strip("/")
    if parts.scheme != "unix" and database and not database.isdecimal():
        if "@" in database:  # the rest of a password
            raise _refused("has an @ behind its host; in a password, / is written %2F")
        raise _refused(f"has the database {database!r}, which is no number")
    return parts


def _spelled(name: str, value: str) -> str:
    """Spell an option of the query as redis-py does."""
    if name == "ssl_cert_reqs":  # ssl's constants are Celery's spelling
        value = value.lower().removeprefix("cert_")
    return f"{'db' if name == 'virtual_host' else name}={value}"


def _try_out(url: str) -> None:
    """Make a connection of it, which connects to nothing: redis-py reads some options only then."""
    try:
        pool: redis.ConnectionPool = redis.ConnectionPool.from_url(url)
        pool.connection_class(**pool.connection_kwargs)
    except Exception as error:
        raise _refused(f"is not understood: {error}") from error


def _refused(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"amends_backend {why}; it is a URL like redis://localhost:6379/1,"
        " rediss://user:password@host:6380/0?ssl_cert_reqs=required or unix:///run/redis.sock?db=1"
    )
