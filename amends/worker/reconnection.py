"""What a worker makes of each connection to its broker, before it consumes by it."""

from typing import Any

from amends.dispatch.fast_path.channel_client import keep_client, say_when_gone
from amends.worker.unacked import hold_in_memory


def prepare_connections(consumer: Any, *, fast_path: bool) -> None:
    """Prepare the channel of every connection that a worker's consumer will make, before anything is fetched by it.

    consumer: Celery's, whose ``connection_for_read`` makes one at the start and after each that is lost.
    fast_path: whether the channel may keep its client, and messages in memory.

    Not after ``connect``, which lets the event loop look into what the channel holds.
    """
    connect = consumer.connection_for_read

    def connection_for_read(*arguments: Any, **options: Any) -> Any:
        connection = connect(*arguments, **options)
        if connection.transport.driver_type == "redis":
            channel = connection.default_channel
            say_when_gone(channel)
            if fast_path:
                keep_client(channel)
                hold_in_memory(channel, consumer.app.tasks)
        return connection

    consumer.connection_for_read = connection_for_read
