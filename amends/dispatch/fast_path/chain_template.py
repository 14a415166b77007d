"""The message of a chain, prepared: all that Celery makes of a canvas but for what is a saga's own.

Building and freezing a canvas costs more than the rest of a start. So it is built once for each list of
records, with stand-ins for what differs from saga to saga, and kept as text.
"""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import json
import os
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from celery import Celery, signals
from celery.app import amqp
from celery.utils import nodenames
from kombu import Producer, exceptions
from kombu.exceptions import OperationalError
from kombu.utils.uuid import uuid
from redis.exceptions import TimeoutError as NoAnswer

from amends.backend.connection import asker, is_original
from amends.dispatch.fast_path.channel_client import keep_client
from amends.dispatch.fast_path.first_message import first_message
from amends.dispatch.fast_path.redis_message import RedisMessage, redis_message_of
from amends.dispatch.fast_path.stand_ins import EACH, ORIGIN, Own, formatted
from amends.dispatch.messages import producers_of, retry_policy
from amends.dispatch.routing import Unroutable, is_routed_by_name
from amends.traces import otel
from amends.traces.sagas import publishing_for

T = TypeVar("T")

_TRACER: Final = "opentelemetry.instrumentation.celery"
_AT_ONCE: Final = 100
"""Messages that one command brings: Redis is busy with them for less than a millisecond."""


class ChainTemplate:
    """A canvas of `SAGA` whose messages are numbered from `NUMBER`, for any saga and number; and any item in place of `ITEM`."""

    def __init__(self, app: Celery, canvas: Any, link_error: Any) -> None:
        task, message, self._options = first_message(app, canvas, link_error)
        self._app, self._task = app, task
        self._headers = frozenset(message.headers)
        self._pool: tuple[Any, int, Any] = (None, 0, None)
        self._count = len(canvas.tasks)
        self._message = formatted(app, json.dumps(message))
        self._is_kept = not app.conf.task_send_sent_event
        self._redis_messages: WeakKeyDictionary[Any, tuple[Any, RedisMessage | None]] = (
            WeakKeyDictionary()
        )

    def write(self, owns: Sequence[Own]) -> bool:
        """Push it to Redis as it is kept, where that comes to the same; answers whether it is certain to be there."""
        return bool(self.written(owns, push))

    def written(self, owns: Sequence[Own], use: Callable[[Any, str, Sequence[str]], T]) -> T | None:
        """Let `use` have a channel, a key, and the texts that it comes to there, one for each of these.

        Answers what that does; None where there is more to it than texts, and where the broker is away.
        It takes a connection alone, as kombu's producers take longer to be had than the text to be written.
        """
        is_traced = all(own.trace for own in owns)
        if not self._is_kept or not _is_unheard(self._app, is_traced=is_traced):
            return None
        try:
            connection = self._connections().acquire()
        except exceptions.LimitExceeded:
            return None  # Celery knows how long to wait
        try:
            channel = connection.default_channel if connection.connected else None
            message = channel and self._redis_message(channel)
            if message is None:
                return None
            texts = [_filled(message, each) for each in self._fillings(owns)]
            return use(channel, message.key, texts)
        except (
            *connection.recoverable_connection_errors,
            *connection.recoverable_channel_errors,
        ) as error:
            if isinstance(
                error, TimeoutError | NoAnswer
            ):  # one more who waits for it would do so as long
                raise OperationalError(f"the broker does not answer: {error}") from error
            # Nobody knows what arrived. kombu tries as often as it is told, and of two messages the log admits one.
            return None
        finally:
            connection.release()

    def _connections(self) -> Any:
        given, pid = self._app.producer_pool, os.getpid()
        if self._pool[0] is not given or self._pool[1] != pid:
            self._pool = given, pid, producers_of(self._app)
        return self._pool[2].connections

    def send(self, owns: Sequence[Own], producer: Any) -> None:
        """Publish it for each of these, whatever a route raises for another one.

        Raises the first `Unroutable`, and kombu's ``OperationalError`` with the broker away.
        """
        connection = producer.connection
        try:
            errors = self._send(owns, producer)
        except (
            *connection.recoverable_connection_errors,
            *connection.recoverable_channel_errors,
        ) as error:
            raise OperationalError(str(error)) from error
        if errors:
            raise errors[0]

    def _redis_message(self, channel: Any) -> RedisMessage | None:
        router = self._app.amqp.router  # another one once the routes have changed
        made_for, message = self._redis_messages.get(channel, (None, None))
        if made_for is not router:
            keep_client(channel)
            message = self._made_redis_message(channel)
            self._redis_messages[channel] = router, message
        return message

    def _made_redis_message(self, channel: Any) -> RedisMessage | None:
        queue = self._route({}).get("queue") if is_routed_by_name(self._app) else None
        if queue is None or not queue.can_cache_declaration:
            return None

        def publish(producer: Any) -> None:
            (own,) = self._fillings([EACH], origin=ORIGIN)
            self._send_one(own, producer, retry=False)

        with otel.unrecorded():
            return redis_message_of(self._app, channel, publish, headers=self._headers)

    def _send(self, owns: Sequence[Own], producer: Any) -> list[Unroutable]:
        """Publish it by Celery and kombu; in one round trip where the broker takes it.

        Redis does, unless its options have a retry of their own.
        """
        if len(owns) == 1 or not hasattr(producer, "batch"):  # kombu before 5.7
            return self._send_each(owns, producer)
        try:
            with producer.batch():
                return self._send_each(owns, producer)
        except exceptions.BatchPublishError:  # type: ignore[attr-defined]  # not in its stubs
            # Nobody knows what arrived. One by one each is tried again, and of two messages the log admits one.
            return self._send_each(owns, producer)

    def _send_each(self, owns: Sequence[Own], producer: Any) -> list[Unroutable]:
        errors = []
        for own in self._fillings(owns):
            try:
                with publishing_for(self._app, own["saga"]):
                    self._send_one(own, producer)
            except Unroutable as error:
                errors.append(error)
        keep_client(producer.channel)
        return errors

    def _send_one(self, own: dict[str, Any], producer: Any, **how: Any) -> None:
        headers, properties, body, sent_event = json.loads(self._message % own)
        options = {**self._route(body[1]), "retry_policy": retry_policy(self._app), **how}
        # What is not connected is so by the publication, as often as Celery is told to try.
        if "queue" in options and producer.connection.connected:
            options["queue"] = _bound(options["queue"], producer.channel)
        message = amqp.task_message(headers, properties, tuple(body), sent_event)
        self._app.amqp.send_task_message(producer, self._task.name, message, **options)

    def _route(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            options: dict[str, Any] = self._app.amqp.router.route(
                dict(self._options), self._task.name, (), kwargs, self._task
            )
        except Exception as error:
            if is_routed_by_name(self._app):
                raise
            raise Unroutable(f"a route of {self._task.name} raised {error!r}") from error
        return options

    def _fillings(
        self, owns: Sequence[Own], *, origin: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield what is each message's own, by the names in the texts."""
        of_all = {"reply_to": self._app.thread_oid, "origin": origin or nodenames.anon_nodename()}
        for own in owns:
            filling = {**of_all, "saga": own.saga_id, "item": own.item, "trace": own.trace}
            for k in range(self._count):
                filling[f"n{k}"] = own.number + k
            yield filling


def _filled(message: RedisMessage, own: Mapping[str, Any]) -> str:
    """Fill in what is a message's own, by the names in its texts."""
    body = b64encode((message.body % own).encode()).decode()
    return message.message % {**own, "body": body, "tag": uuid()}


@lru_cache(maxsize=100)
def _bound(queue: Any, channel: Any) -> Any:
    """Bind a queue, once: kombu binds a copy for each message to see that it is declared."""
    return queue.bind(channel)


def _is_unheard(app: Any, *, is_traced: bool) -> bool:
    """Tell whether nobody hears of a publication, nor has a hand in it.

    is_traced: whether the message brings the headers of its saga's trace. OpenTelemetry's instrumentation of Celery, which would
        write such headers, then has nothing to add but a span of the publication.
    """
    heard = (signals.before_task_publish, signals.after_task_publish, signals.task_sent)
    return (
        not any(_is_heard(each, but_for_tracer=is_traced) for each in heard)
        and is_original(app.amqp.send_task_message, "celery.app.amqp")
        and app.producer_pool.Producer is Producer
        and is_original(Producer.publish, "kombu.messaging")
        and is_original(Producer._publish, "kombu.messaging")  # noqa: SLF001
    )


def _is_heard(signal: Any, *, but_for_tracer: bool) -> bool:
    receivers = [each[1] for each in signal.receivers]
    if but_for_tracer:
        receivers = [each for each in receivers if getattr(each, "__module__", "") != _TRACER]
    return bool(receivers)


def push(channel: Any, key: str, texts: Sequence[str]) -> bool:
    """Push these messages, in order; answers True."""
    with channel.conn_or_acquire() as client, channel.conn_or_acquire() as another:
        # What is taken for good of a client that the channel does not keep would be lost with it.
        ask = asker(client, fast_path=client is another)
        for begin in range(0, len(texts), _AT_ONCE):
            ask("LPUSH", key, *texts[begin : begin + _AT_ONCE])
    return True
