"""A message as kombu's Redis transport writes it, kept as text: to publish it is to fill it in, and one LPUSH.

What Celery and kombu do for a message that nobody hears of costs several times what the command does.
So they do it once for each channel, with a message of stand-ins and a recorder in place of the channel.
"""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import json
from base64 import b64decode
from collections.abc import Callable, Collection
from contextlib import nullcontext
from copy import copy
from typing import Any, Final, NamedTuple

from kombu import Producer

from amends.backend.connection import is_original
from amends.dispatch.fast_path.stand_ins import BODY, SAGA, TAG, formatted

_COMPRESSION: Final = "compression"


class RedisMessage(NamedTuple):
    """What a message comes to: a text in the list at a key. Both texts are for ``%``, that of its body too."""

    key: str
    message: str
    body: str


def redis_message_of(
    app: Any, channel: Any, publish: Callable[[Producer], None], *, headers: Collection[str]
) -> RedisMessage | None:
    """Return what `publish` comes to on a channel, which it declares its queue on; None where it is not one text.

    headers: those of the message; a tracer that hears of it adds others, which are this publication's alone.
    """
    if not _is_written_by_kombu(channel):
        return None
    recorder: Any = _RecordingChannel(channel)
    publish(Producer(recorder))
    ((message, where),) = recorder.noted
    for name in message["headers"].keys() - {*headers, _COMPRESSION}:
        del message["headers"][name]
    if where["exchange"]:  # which may lead anywhere
        return None
    if where["routing_key"] in getattr(
        channel, "_expires", ()
    ):  # each message gives its queue a longer life
        return None
    client = _CapturingClient()
    writer = copy(channel)
    writer.conn_or_acquire = lambda: nullcontext(client)
    writer.basic_publish(message, **where)
    ((key, text),) = client.written
    return _read(app, key, text)


def _is_written_by_kombu(channel: Any) -> bool:
    put = getattr(channel, "_put", None)
    return (
        put is not None
        and is_original(put, "kombu.transport.redis")
        and is_original(channel.basic_publish, "kombu.transport.virtual.base")
    )


def _read(app: Any, key: str, text: str) -> RedisMessage | None:
    message = json.loads(text)
    body, properties = message["body"], message["properties"]
    if properties["body_encoding"] != "base64" or message["content-encoding"] != "utf-8":
        return None
    if _COMPRESSION in message["headers"] or not _is_plain_json(message["content-type"], body):
        return None
    text = text.replace(body, BODY).replace(properties["delivery_tag"], TAG)
    return RedisMessage(key, formatted(app, text), formatted(app, b64decode(body).decode()))


def _is_plain_json(content_type: str, body: str) -> bool:
    """Return whether another saga's body is this one with another id in it.

    Not so if it is signed or encrypted, nor in YAML, where an id such as ``1047`` is a number unless it is quoted.
    """
    if content_type != "application/json":
        return False
    try:
        made = json.loads(b64decode(body))
    except ValueError:
        return False
    match made:
        case [[], {"saga_id": str(saga_id)}, dict()]:
            return saga_id == SAGA
    return False


class _RecordingChannel:
    """Stands for a channel: what is to be declared is so, what is to be published is only noted."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self.noted: list[tuple[Any, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def basic_publish(self, message: Any, **where: Any) -> None:
        self.noted.append((message, where))


class _CapturingClient:
    """Stands for a channel's client."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str]] = []

    def lpush(self, key: str, text: str) -> None:
        self.written.append((key, text))
