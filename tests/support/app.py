"""A Celery app that is current in this thread for a while, and no longer."""

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
