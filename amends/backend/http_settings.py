"""The settings of links that give sagas signals: where they lead, and what signs them."""

from typing import Any, Final
from urllib.parse import urlsplit

from amends.errors import ConfigurationError

_SHORTEST_KEY: Final = 32  # characters; a key of random hexadecimal digits has 128 bits then
_MAKE_ONE: Final = 'python -c "import secrets; print(secrets.token_urlsafe(32))" makes one'


def checked_url(given: Any) -> str | None:
    """Return `amends_http_url` without a slash at its end; None if it is not set. Raises `ConfigurationError`."""
    if given is None:
        return None
    if not isinstance(given, str) or not _is_base(given):
        raise ConfigurationError(
            "amends_http_url is not the public URL at which amends.http is mounted: http:// or https://, a host and perhaps"
            " a path, like https://shop.example/links"
        )
    return given.rstrip("/")


def checked_keys(given: Any) -> tuple[str, ...] | None:
    """Return the keys of `amends_http_key`, the first of which signs; None if none is set.

    Raises `ConfigurationError`, whose text has no key in it.
    """
    if given is None:
        return None
    keys = (given,) if isinstance(given, str) else given
    if not isinstance(keys, list | tuple) or not keys or not all(map(_is_key, keys)):
        raise ConfigurationError(
            f"amends_http_key is no secret of {_SHORTEST_KEY} or more characters, nor a list of such secrets: {_MAKE_ONE}"
        )
    return tuple(keys)


def no_key() -> ConfigurationError:
    """Return the error that says that links cannot be signed."""
    return ConfigurationError(
        f"amends_http_key is not set in Celery's configuration: set it to a secret that signs links, the same for"
        f" workers and for amends.http; {_MAKE_ONE}"
    )


def no_url() -> ConfigurationError:
    """Return the error that says that nobody knows where links lead."""
    return ConfigurationError(
        "amends_http_url is not set in Celery's configuration: set it to the public URL at which amends.http is"
        " mounted, like https://shop.example/links"
    )


def _is_base(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname)
    return is_whole and url.isascii() and not any(each in url for each in " ?#@")


def _is_key(key: Any) -> bool:
    return isinstance(key, str) and len(key) >= _SHORTEST_KEY
