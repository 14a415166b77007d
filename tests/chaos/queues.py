"""The messages that wait in the broker: counted, taken out and put back.

Both classes have the same methods, which raise :class:`BrokerAway`: `lengths` counts the waiting messages of each queue,
`take` takes one from a drawn queue on, as a consumer that never acknowledges, and `put` delivers it again, or with
`fresh` publishes it again.
"""

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import amqp
from amqp.exceptions import AMQPError, NotFound
from redis.exceptions import RedisError

PATIENCE = 3.0
TIMEOUT = 1.0
# Above the workers' consumers, which have none: whoever has the highest gets a message first.
PRIORITY = 10


class BrokerAway(Exception):  # noqa: N818 - reads as the sentence it is
    """The broker does not answer."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message as it waited in `queue`, by the broker's name; `raw` is the broker's own form of it."""

    queue: str
    task_id: str
    raw: Any


@contextlib.contextmanager
def _or_away() -> Iterator[None]:
    try:
        yield
    except (OSError, AMQPError, RedisError) as error:
        raise BrokerAway(str(error)) from error


def _rotated(names: Sequence[str], draw: int) -> list[str]:
    first = draw % len(names)
    return [*names[first:], *names[:first]]


class RedisQueues:
    """The queues of Celery's Redis transport: lists, filled from the left and consumed from the right.

    connect: returns a client of the broker with these timeouts.
    options: the transport's, by which a queue has a list for each priority, and its name a prefix.
    """

    def __init__(
        self,
        connect: Callable[..., Any],
        names: Sequence[str],
        options: Mapping[str, Any],
    ) -> None:
        steps = options.get("priority_steps", [0])[1:]
        ends = ["", *(f"{options['sep']}{step}" for step in steps)]
        prefix = options.get("global_keyprefix", "")
        self._lists = {name: [f"{prefix}{name}{end}" for end in ends] for name in names}
        self._client, self._waiting = (
            connect(socket_timeout=seconds, socket_connect_timeout=TIMEOUT)
            for seconds in (TIMEOUT, PATIENCE + TIMEOUT)
        )

    @_or_away()
    def lengths(self) -> Mapping[str, int]:
        with self._client.pipeline(transaction=False) as pipeline:
            for key in chain(*self._lists.values()):
                pipeline.llen(key)
            lengths = iter(pipeline.execute())
        return {name: sum(islice(lengths, len(keys))) for name, keys in self._lists.items()}

    @_or_away()
    def take(self, draw: int) -> Message | None:
        keys = [*chain(*(self._lists[name] for name in _rotated([*self._lists], draw)))]
        # It waits in line with the workers, so that it gets one.
        found: Any = self._waiting.blpop(keys, timeout=PATIENCE)
        if found is None:
            return None
        queue, raw = found
        return Message(queue=queue.decode(), task_id=json.loads(raw)["headers"]["id"], raw=raw)

    @_or_away()
    def put(self, message: Message, *, fresh: bool = False) -> None:
        fields = json.loads(message.raw)
        if fresh:
            fields["properties"]["delivery_tag"] = str(uuid.uuid4())
        self._client.lpush(message.queue, json.dumps(fields))


class RabbitQueues:
    """The queues that Celery declares in a RabbitMQ, which no message reaches before the first worker runs."""

    def __init__(self, port: int, names: Sequence[str]) -> None:
        self._address = f"127.0.0.1:{port}"
        self._names = list(names)

    @_or_away()
    def lengths(self) -> Mapping[str, int]:
        with self._connected() as connection:
            return {name: self._length(connection, name) for name in self._names}

    @_or_away()
    def take(self, draw: int) -> Message | None:
        found: list[tuple[str, Any]] = []
        with self._connected() as connection:
            channel = connection.channel()
            channel.basic_qos(0, 1, a_global=False)
            for name in _rotated(self._names, draw):
                channel.basic_consume(
                    name,
                    callback=lambda message, name=name: found.append((name, message)),
                    arguments={"x-priority": PRIORITY},
                )
                if found:
                    break
            with contextlib.suppress(TimeoutError):
                while not found:
                    connection.drain_events(timeout=PATIENCE)
            if not found:
                return None
            queue, message = found[0]
            channel.basic_ack(message.delivery_tag)
            # What came beside it goes back into its queue, for it is not acknowledged.
            task_id = message.properties["application_headers"]["id"]
            return Message(queue=queue, task_id=task_id, raw=message)

    @_or_away()
    def put(self, message: Message, *, fresh: bool = False) -> None:  # noqa: ARG002 - each is fresh here
        again = amqp.Message(message.raw.body, **message.raw.properties)
        with self._connected() as connection:
            connection.channel().basic_publish(again, exchange="", routing_key=message.queue)

    def _length(self, connection: Any, name: str) -> int:
        try:
            return int(connection.channel().queue_declare(name, passive=True).message_count)
        except NotFound:
            return 0  # no worker has declared it yet

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        with amqp.Connection(
            self._address,
            connect_timeout=TIMEOUT,
            read_timeout=PATIENCE + TIMEOUT,
            write_timeout=TIMEOUT,
        ) as connection:
            yield connection


Queues = RedisQueues | RabbitQueues
