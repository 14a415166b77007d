"""The console as a server of its own."""

import logging
import socket
from collections.abc import Callable, Sequence

import uvicorn
from celery import Celery

from amends.console.access.guards import is_loopback
from amends.console.access.users import user_line
from amends.console.site import application
from amends.errors import ConfigurationError

__all__ = ["serve", "user_line"]


def serve(
    app: Celery, *, host: str, port: int, proxies: Sequence[str], told: Callable[[str], object]
) -> None:
    """Serve the console until the process is told to end.

    host, port: where it listens; port 0 is a free one.
    proxies: addresses whose ``X-Forwarded-*`` are believed.
    told: called with the address, once it listens.

    Raises `ConfigurationError` for settings that are wrong, without a sign-in on anything but a loopback, and where it cannot
    listen.
    """
    site = application(app, open_on_loopback=is_loopback(host))
    try:
        listener = socket.create_server((host, port), family=_family(host), backlog=128)
    except OSError as error:
        raise ConfigurationError(
            f"the console cannot listen at {host} port {port}: {error}"
        ) from error
    logging.getLogger("starlette_admin").setLevel(logging.WARNING)
    address, bound, *_ = listener.getsockname()
    shown = f"[{address}]" if ":" in address else address
    told(f"The console is on http://{shown}:{bound}")
    config = uvicorn.Config(
        site,
        access_log=False,
        log_level="warning",
        lifespan="off",
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=[*proxies],
    )
    with listener:
        uvicorn.Server(config).run(sockets=[listener])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
