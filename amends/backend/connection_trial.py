"""The trial of a connection's options, before there is one: what redis-py would say later is said now, and of which setting."""

import inspect
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from amends.errors import ConfigurationError


def refused(why: str) -> ConfigurationError:
    """Return the error of an `amends_backend` that no client can be made of. `why` goes on after its name."""
    return ConfigurationError(
        f"amends_backend {why}; it is a URL like redis://localhost:6379/1,"
        " rediss://user:password@host:6380/0?ssl_cert_reqs=required, unix:///run/redis.sock?db=1,"
        " sentinel://one:26379;sentinel://two:26379/0 or redis+cluster://one:6379;redis+cluster://two:6379"
    )


def try_out(url: str) -> None:
    """Make a connection of it, which connects to nothing: redis-py reads some options only then."""
    with _understood():
        pool: redis.ConnectionPool = redis.ConnectionPool.from_url(url)
    if unknown := _unknown_option(pool):
        raise refused(
            f"has the option {unknown!r}, which redis-py does not know; options come from the URL,"
            " amends_backend_options and amends_backend_use_ssl"
        )
    with _understood():
        pool.connection_class(**pool.connection_kwargs)
    if issubclass(pool.connection_class, redis.SSLConnection):
        _load_certificates(pool.connection_kwargs)


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise refused(f"is not understood: {error}") from error


def _unknown_option(pool: redis.ConnectionPool) -> str:
    """Return an option that a connection does not take, or ''."""
    taken: set[str] = set()
    for kind in pool.connection_class.__mro__:
        taken |= inspect.signature(kind.__init__).parameters.keys()
    return next((name for name in pool.connection_kwargs if name not in taken), "")


def _load_certificates(options: Mapping[str, Any]) -> None:
    """Read the files of a connection with TLS: as it connects, the error of a missing one does not name it."""
    authority, own, key = (
        options.get(f"ssl_{name}") for name in ("ca_certs", "certfile", "keyfile")
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if authority:
            context.load_verify_locations(authority)
        if own:  # without a password, OpenSSL would ask the terminal for that of an encrypted key
            context.load_cert_chain(own, key, lambda: options.get("ssl_password") or "")
    except OSError as error:
        names = [name for name in (authority, own, key) if name]
        missing = [name for name in names if not Path(name).is_file()]
        why = f"there is no file {missing[0]}" if missing else str(error)
        lacks = (
            ""
            if key or not own
            else "; ssl_keyfile names the key, unless it is in ssl_certfile too"
        )
        raise ConfigurationError(
            f"amends_backend names certificates or a key that cannot be used ({', '.join(names)}): {why}{lacks}"
        ) from error
