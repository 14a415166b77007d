"""``python -m services``: serve all services on one port until SIGTERM or Ctrl-C."""

import os
import socket
import sys
from contextlib import suppress

import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from services.app import create_app
from services.connection import CuttableProtocol
from services.database import Database
from services.settings import Settings, read_settings

KEEP_ALIVE = 75
"""Seconds an idle connection stays open: longer than callers keep theirs, for a connection that is
closed under a new request looks just like a lost reply."""

GRACE = 1
"""Seconds that running requests have to end after a signal."""


class AnnouncingServer(uvicorn.Server):
    """A server that prints where it listens once it serves, for people and for tests."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving, then say so."""
        await super().startup(sockets=sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            print(f"The services listen on http://{host}:{port}", flush=True)  # noqa: T201 - the start message


def main() -> None:
    """Serve until told to stop; leave with a sentence when that cannot begin."""
    try:
        settings = read_settings(os.environ)
        listener = _listen(settings)
        database = Database(settings.database_url)
    except (OSError, ValueError, ImportError, SQLAlchemyError) as error:
        sys.exit(f"The services cannot start: {error}")
    config = uvicorn.Config(
        create_app(database),
        http=CuttableProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    with suppress(KeyboardInterrupt):
        AnnouncingServer(config).run(sockets=[listener])


def _listen(settings: Settings) -> socket.socket:
    """Take the port before anything else, to say plainly when somebody else has it."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Only where the protocol is named does asyncio switch Nagle's algorithm off; with it every
    # answer waits 40 ms for an acknowledgement. socket.create_server() cannot name it.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen()
    except OSError as error:
        raise OSError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}). "
            "Is another server on that port? Set SERVICES_PORT to a free one."
        ) from error
    return listener


if __name__ == "__main__":
    main()
