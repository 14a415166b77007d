"""The queues of a RabbitMQ, over AMQP."""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import amqp
from amqp.exceptions import AMQPError, NotFound

from demo.ports import LOOPBACK
from tests.chaos.queues import PATIENCE, BrokerAway, Message

TIMEOUT = 2.0
# Above the workers' consumers, which have none: whoever has the highest gets a message first.
PRIORITY = 10


class RabbitQueues:
    """The queues that Celery declares, which no message reaches before the first worker runs."""

    def __init__(self, port: int, names: Sequence[str]) -> None:
        self._port = port
        self._names = list(names)
        self._kept: Any = None
        self._lock = threading.Lock()  # one connection must not be used by two threads

    def lengths(self) -> Mapping[str, int]:
        """Count the waiting messages of each queue."""
        with self._lock:
            try:
                self._kept = self._kept or self._connect()
                return {name: self._length(name) for name in self._names}
            except (OSError, AMQPError) as error:
                self._kept = None
                raise BrokerAway(str(error)) from error

    def take(self, draw: int) -> Message | None:
        """Take a message out of a queue. It consumes before the workers do, so that it gets one."""
        first = draw % len(self._names)
        found: list[tuple[str, Any]] = []
        with self._connected() as connection:
            channel = connection.channel()
            channel.basic_qos(0, 1, False)  # noqa: FBT003 - amqp's
            for name in (*self._names[first:], *self._names[:first]):
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
            headers = message.properties["application_headers"]
            return Message(queue=queue, task_id=headers["id"], raw=message)

    def put(self, message: Message, *, fresh: bool = False) -> None:  # noqa: ARG002 - each is fresh here
        """Put a message into its queue."""
        again = amqp.Message(message.raw.body, **message.raw.properties)
        with self._connected() as connection:
            connection.channel().basic_publish(again, exchange="", routing_key=message.queue)

    def _length(self, name: str) -> int:
        channel = self._kept.channel()
        try:
            return int(channel.queue_declare(name, passive=True).message_count)
        except NotFound:
            return 0  # no worker has declared it yet
        finally:
            channel.close()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        try:
            connection = self._connect()
            try:
                yield connection
            finally:
                connection.close()
        except (OSError, AMQPError) as error:
            raise BrokerAway(str(error)) from error

    def _connect(self) -> Any:
        connection = amqp.Connection(
            f"{LOOPBACK}:{self._port}",
            connect_timeout=TIMEOUT,
            read_timeout=PATIENCE + TIMEOUT,
            write_timeout=TIMEOUT,
        )
        connection.connect()
        return connection
