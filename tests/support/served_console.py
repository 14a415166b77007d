"""The console served by a thread of this process, for a browser."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from celery import Celery

from amends.console import application
from demo.ports import LOOPBACK
from tests.support.eventually import eventually


@contextmanager
def served(app: Celery) -> Iterator[str]:
    """Serve the console of an app. Yields its URL."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        config = uvicorn.Config(application(app), log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        eventually(lambda: server.started)
        yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(30)
