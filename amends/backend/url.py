"""The spellings of `amends_backend`: those by which Celery and kombu name a Redis, as redis-py reads them.

Sentinels, and the nodes of a cluster, are separated by semicolons, as Celery separates Sentinels. What Celery gives a result
backend beside its URL (``result_backend_transport_options``, ``redis_backend_use_ssl``) becomes a part of the URL.
"""

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

import redis
from kombu.utils.url import maybe_sanitize_url

from amends.backend.connection_trial import refused, try_out
from amends.errors import did_you_mean

IN_MEMORY: Final = "memory://"
_SCHEMES: Final[Mapping[str, str]] = {
    "redis": "redis",
    "rediss": "rediss",
    "valkey": "redis",
    "valkeys": "rediss",
    "unix": "unix",
    "socket": "unix",
    "redis+socket": "unix",
    **{
        f"{scheme}+{several}": f"{own}+{several}"
        for several in ("cluster", "sentinel")
        for scheme, own in (
            *(("redis", "redis"), ("rediss", "rediss")),
            *(("valkey", "redis"), ("valkeys", "rediss")),
        )
    },
    "sentinel": "redis+sentinel",
}
_OF_SENTINELS: Final = ("master_name", "sentinel_kwargs", "min_other_sentinels")
"""Options that are for Sentinels, and not for the connections to the Redis that they name."""


def redis_url(
    backend: object, options: Mapping[str, Any] | None = None, use_ssl: object = None
) -> str:
    """Return the URL of `amends_backend` as redis-py spells it; ``memory://`` stays.

    options: `amends_backend_options`; see `amends.backend.settings`.
    use_ssl: `amends_backend_use_ssl`.

    Raises `ConfigurationError` for one that no client can be made of. No password is in its message.
    """
    if not isinstance(backend, str) or "://" not in backend:
        raise refused("is no URL")
    if backend.startswith(IN_MEMORY):
        return backend
    scheme = backend.partition("://")[0]
    if scheme not in _SCHEMES:
        hint = did_you_mean(scheme, _SCHEMES) or f"; known: {', '.join(_SCHEMES)}"
        raise refused(f"has the unknown scheme {scheme!r}{hint}")
    own, _, several = _SCHEMES[scheme].partition("+")
    given = dict(options or {})
    if use_ssl:
        if own == "unix":
            raise refused("names a socket, to which no TLS leads; unset amends_backend_use_ssl")
        own, given = "rediss", {**given, **(use_ssl if isinstance(use_ssl, Mapping) else {})}
    more = [
        f"{name}={quote(_text(value), safe='/')}"
        for name, value in given.items()
        if value is not None
    ]
    if several != "sentinel":
        _check_alone(backend, given)
    if not several:
        return _url(own, backend.partition("://")[2], more)
    urls = list(_urls(own, several, backend, more))
    _check(several, urls)
    return ";".join(each.replace("://", f"+{several}://", 1) for each in urls)


def nodes_of(backend: str, several: str = "cluster") -> list[str]:
    """Return the URLs of the nodes of a cluster that `redis_url` has returned; none of any other Redis.

    several: ``sentinel`` for the URLs of Sentinels.
    """
    if not backend.partition("://")[0].endswith(f"+{several}"):
        return []
    return [each.replace(f"+{several}", "", 1) for each in backend.split(";")]


def address_of(backend: str) -> str:
    """Return what `redis_url` has returned without passwords, which the options behind the ? may have too."""
    # In the password of one Redis a ; is a letter like others.
    nodes = backend.split(";") if "+" in backend.partition("://")[0] else [backend]
    return ";".join(str(maybe_sanitize_url(each.partition("?")[0])) for each in nodes)


def sentinel_options(url: str) -> dict[str, Any]:
    """Return what of a Sentinel's URL is for Sentinels: by the names of Celery's options."""
    pairs = (each.partition("=")[::2] for each in urlsplit(url).query.split("&"))
    found: dict[str, Any] = {name: unquote(value) for name, value in pairs if name in _OF_SENTINELS}
    if "sentinel_kwargs" in found:
        found["sentinel_kwargs"] = json.loads(found["sentinel_kwargs"])
    return found


def without_sentinel_options(url: str) -> str:
    """Return a Sentinel's URL as that of the Redis that it names."""
    place, _, query = url.partition("?")
    rest = [each for each in query.split("&") if each.partition("=")[0] not in _OF_SENTINELS]
    return f"{place}{'?' if any(rest) else ''}{'&'.join(rest)}"


def _urls(own: str, several: str, backend: str, more: list[str]) -> Iterator[str]:
    """Yield a URL for each of several nodes, with the user of the first and the database and options of the last."""
    nodes = [each.partition("://")[2] or each for each in backend.split(";")]
    user = f"{nodes[0].rpartition('@')[0]}@" if "@" in nodes[0] else ""
    place, _, query = nodes[-1].partition("?")
    database = place.partition("/")[2] if several == "sentinel" else ""
    for node in nodes:
        host, _, path = node.rpartition("@")[2].partition("?")[0].partition("/")
        yield _url(own, f"{user}{host}/{database or path}?{query}", more)


def _check(several: str, urls: list[str]) -> None:
    pools = map(redis.ConnectionPool.from_url, urls)
    if several == "cluster" and any(pool.connection_kwargs.get("db") for pool in pools):
        raise refused("names a database of a cluster, which has only one")
    if several == "sentinel":
        _check_sentinels(urls[-1])


def _check_alone(backend: str, given: Mapping[str, Any]) -> None:
    named = {
        each.partition("=")[0] for each in backend.rpartition("?")[2].split("&")
    } | given.keys()
    if of_sentinels := [name for name in _OF_SENTINELS if name in named]:
        raise refused(
            f"names no Sentinels, and has {of_sentinels[0]}, which is for them: write sentinel://, or take it out of"
            " amends_backend_options and the URL"
        )


def _check_sentinels(url: str) -> None:
    try:
        options = sentinel_options(url)
    except ValueError:
        raise refused("has sentinel_kwargs that are no JSON") from None
    if not options.get("master_name"):
        raise refused(
            "names Sentinels and not which primary they watch: set"
            ' amends_backend_options = {"master_name": "mymaster"}'
        )
    try:
        int(options.get("min_other_sentinels", 0))
        redis.Redis(**options.get("sentinel_kwargs", {}))  # connects to nothing
    except (TypeError, ValueError) as error:
        raise refused(f"has options of Sentinels that are not understood: {error}") from None


def _url(own: str, rest: str, more: list[str]) -> str:
    parts = _split(f"{own}://{rest}")
    options = [_spelled(*each.partition("=")[::2]) for each in parts.query.split("&") if each]
    query = "&".join([*options, *more])
    url = f"{own}://{parts.netloc}{parts.path}{'?' if query else ''}{query}"
    try_out(without_sentinel_options(url))
    return url


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # whose text may have the password
        raise refused(
            "has a host that is none, or a port that is no number;"
            " in a password, / ? # ; and [ are written %2F, %3F, %23, %3B and %5B"
        ) from None
    if parts.fragment:
        raise refused("has a #, which is written %23 in a password")
    database = parts.path.strip("/")
    if parts.scheme != "unix" and database and not database.isdecimal():
        if "@" in database:  # the rest of a password
            raise refused("has an @ behind its host; in a password, / is written %2F")
        raise refused(f"has the database {database!r}, which is no number")
    return parts


def _spelled(name: str, value: str) -> str:
    """Spell an option of the query as redis-py does."""
    if name == "ssl_cert_reqs":  # ssl's constants are Celery's spelling
        value = value.lower().removeprefix("cert_")
    return f"{'db' if name == 'virtual_host' else name}={value}"


def _text(value: object) -> str:
    """Return an option as the text of a URL: ssl's constants by their names."""
    if isinstance(value, Mapping):
        try:
            return json.dumps(dict(value), sort_keys=True)
        except TypeError as error:
            raise refused(f"has an option that no URL can have: {error}") from None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):  # ssl.CERT_REQUIRED
        return value.name.lower().removeprefix("cert_")
    return str(value)
