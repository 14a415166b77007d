"""What monitors can hear on a broker that is a Redis."""

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis


@contextmanager
def hearing(client: redis.Redis, *about: str) -> Iterator[list[list[dict[str, Any]]]]:
    """Listen for events of these ids; yield what is heard, a list of their events for each message."""
    heard: list[list[dict[str, Any]]] = []
    ends = threading.Event()
    channel = client.pubsub()
    channel.psubscribe("*celeryev*")
    channel.get_message(timeout=10)

    def listen() -> None:
        while not ends.is_set():
            message = channel.get_message(timeout=0.1)
            if not message or message["type"] != "pmessage":
                continue
            body = json.loads(b64decode(json.loads(message["data"])["body"]))
            events = body if isinstance(body, list) else [body]
            # One message may bring those of other sagas too.
            if own := [event for event in events if event.get("uuid") in about]:
                heard.append(own)

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield heard
    finally:
        ends.set()
        listener.join()
        channel.close()
