"""The broker as those ask for it who can do without an answer: once, and not for long."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from celery import Celery
from kombu.exceptions import OperationalError

PATIENCE: Final = 3
"""Seconds that a broker is waited for."""
_WAITS: Final[Mapping[str, Mapping[str, int]]] = {  # how long for an answer, by kombu's transport
    "redis": {"socket_timeout": PATIENCE},
    "amqp": {"read_timeout": PATIENCE, "write_timeout": PATIENCE},
}


@contextmanager
def connected(unused: Any) -> Iterator[Any]:
    """Connect what an app's ``connection_for_read`` or ``connection_for_write`` gave, and close it in the end.

    Raises kombu's ``OperationalError`` where the broker is away.
    """
    with unused as connection:
        options: Any = connection.transport_options
        options.update(_WAITS.get(connection.transport.driver_type, {}))
        # A channel by itself is tried for longer.
        connection.ensure_connection(max_retries=1, timeout=PATIENCE)
        yield connection


def gives_back(app: Celery) -> bool:
    """Return whether the broker puts the messages of a lost connection back into their queues: RabbitMQ does."""
    with app.connection_for_read() as unused:
        return bool(unused.transport.driver_type == "amqp")


def queue_length(app: Celery, queue: str) -> int:
    """Count the messages of a queue, 0 where there is no such queue.

    Raises kombu's ``OperationalError`` where the broker is away.
    """
    return queue_lengths(app, [queue])[queue]


def queue_lengths(app: Celery, queues: Iterable[str]) -> dict[str, int]:
    """`queue_length` for many queues, over one connection."""
    with connected(app.connection_for_read()) as connection:
        try:
            return {queue: _length(connection, queue) for queue in queues}
        except connection.connection_errors as error:
            raise OperationalError(f"the broker does not answer: {error}") from error


def _length(connection: Any, queue: str) -> int:
    try:
        length: int = connection.default_channel.queue_declare(
            queue=queue, passive=True
        ).message_count
    except connection.channel_errors:
        return 0  # there is no such queue, and so no message in it
    return length
