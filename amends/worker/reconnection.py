"""A worker goes on when its broker's Redis was away: one of kombu's errors is made the one that it means."""

from collections.abc import Callable
from typing import Any

from celery import bootsteps
from redis.exceptions import ConnectionError as RedisAway

from amends.dispatch.fast_path.channel_client import keep_client
from amends.worker.unacked import hold_in_memory


class Reconnection(bootsteps.StartStopStep):
    """The consumer's bootstep, which starts with every new connection.

    When a connection is lost, Celery 5.7 closes it twice, and later acknowledges on it what ran meanwhile. Its
    channel then asks for the address of a connection that it has let go of (``Channel._connparams`` in
    kombu/transport/redis.py), and the AttributeError ends the worker, where a connection error would not.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        """Let the channel say that its connection is gone, and keep its client while it is not."""
        channel = consumer.task_consumer.channel
        keep_client(channel)
        hold_in_memory(channel, consumer.app.tasks)
        if hasattr(channel, "_connparams"):  # kombu's Redis transport
            channel._connparams = _unless_gone(channel, channel._connparams)  # noqa: SLF001


def _unless_gone(channel: Any, ask: Callable[..., Any]) -> Callable[..., Any]:
    def connparams(*arguments: Any, **options: Any) -> Any:
        if channel.connection is None or channel.connection.client is None:
            raise RedisAway("the connection to the broker was lost")
        return ask(*arguments, **options)

    return connparams
