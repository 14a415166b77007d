"""A Celery app that is current in this thread for a while, and what is asked of an app's workers."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery, _state


@contextmanager
def in_process_app(name: str) -> Iterator[Celery]:
    """Give an app whose broker and saga log are in this process, current in this thread until the end."""
    before = _state._tls.current_app
    app = Celery(name, broker="memory://", set_as_current=False)
    app.conf.amends_backend = f"memory://{secrets.token_hex(8)}"
    app.set_current()
    try:
        yield app
    finally:
        _state._set_current_app(before)


def ping(app: Celery) -> list[dict[str, dict[str, str]]]:
    """Ask an app's workers whether they live, by a connection that is closed afterwards.

    A pooled one goes on to wait for answers (``BRPOP``). A process that is forked then closes it, reads the answer
    to do so, and who next resets the pools of the process that was forked waits for that answer for ever.
    """
    with app.connection_for_write() as connection:
        return app.control.ping(timeout=0.5, connection=connection)
