"""A message as kombu's Redis transport writes it, kept as text: to publish it is to fill it in, and one LPUSH.

What Celery and kombu do for a message that nobody hears of costs several times what the command does.
So they do it once for each channel, with a message of stand-ins and a recorder in place of the channel.
"""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from copy import copy
from typing import Any, Final, NamedTuple

from celery import signals
from celery.app.routes import MapRoute, Router
from kombu import Producer
from kombu.utils.uuid import uuid

from amends.backend.connection import asker

BODY: Final = "amends0stands0for0a0body"
TAG: Final = "amends0stands0for0a0tag"
_AT_ONCE: Final = 100
"""Messages that one command brings: Redis is busy with them for less than a millisecond."""


class RedisMessage(NamedTuple):
    """What a message comes to: a text in the list at a key. Both texts are for ``%``, that of its body too."""

    key: str
    message: str
    body: str

    def filled(self, own: dict[str, Any]) -> str:
        """Fill in what is a message's own."""
        body = b64encode((self.body % own).encode()).decode()
        return self.message % {**own, "body": body, "tag": uuid()}


def push(channel: Any, key: str, texts: Sequence[str]) -> bool:
    """Push these messages, in order; answers True."""
    with channel.conn_or_acquire() as client:
        ask = asker(client)
        for begin in range(0, len(texts), _AT_ONCE):
            ask("LPUSH", key, *texts[begin : begin + _AT_ONCE])
    return True


def is_original(function: Any, module: str) -> bool:
    """Tell whether a function is the one of this module: a library that traces calls wraps it."""
    return function.__module__ == module and not hasattr(function, "__wrapped__")


def is_unheard(app: Any) -> bool:
    """Tell whether nobody hears of a publication, nor has a hand in it."""
    return (
        not signals.before_task_publish.receivers
        and not signals.after_task_publish.receivers
        and not signals.task_sent.receivers
        and is_original(app.amqp.send_task_message, "celery.app.amqp")
        and app.producer_pool.Producer is Producer
        and is_original(Producer.publish, "kombu.messaging")
        and is_original(Producer._publish, "kombu.messaging")  # noqa: SLF001
    )


def goes_by_name(app: Any) -> bool:
    """Tell whether each message of a task is sent where the one before was: no function of an app's own decides."""
    router = app.amqp.router
    return type(router) is Router and all(
        isinstance(each, MapRoute)
        for each in router.routes  # type: ignore[attr-defined]  # not in its stubs
    )


def redis_message_of(channel: Any, publish: Callable[[Producer], None]) -> RedisMessage | None:
    """Return what `publish` comes to on a channel, which it declares its queue on; None where it is not one text.

    Of what is in the message's texts only the body and the tag are replaced by their stand-ins.
    """
    if not _is_written_by_kombu(channel):
        return None
    recorder: Any = _RecordingChannel(channel)
    publish(Producer(recorder))
    ((message, where),) = recorder.noted
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
    return _read(key, text)


def _is_written_by_kombu(channel: Any) -> bool:
    put = getattr(channel, "_put", None)
    return (
        put is not None
        and is_original(put, "kombu.transport.redis")
        and is_original(channel.basic_publish, "kombu.transport.virtual.base")
    )


def _read(key: str, text: str) -> RedisMessage | None:
    message = json.loads(text)
    body, properties = message["body"], message["properties"]
    if properties["body_encoding"] != "base64" or message["content-encoding"] != "utf-8":
        return None
    if "compression" in message["headers"]:
        return None
    text = text.replace(body, BODY).replace(properties["delivery_tag"], TAG)
    return RedisMessage(key, text, b64decode(body).decode())


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
