"""What a worker holds of the messages of a Redis broker: those of sagas in its memory alone.

Kombu writes each message that a worker fetches into a hash of the broker (``unacked``) and removes it when it is
acknowledged, lest it go with a worker that dies. These are two transactions, and
half of what a message costs the worker's main process. A saga does not need them: its message is a hint, and the log says
what remains. Long before kombu gives such a message back, after its visibility timeout, a sweep has sent another.
(Kombu's option ``ack_emulation`` leaves the hash out for all messages of an app.)
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from kombu.transport import redis, virtual

from amends.activities.task import ActivityTask
from amends.backend.fast_path import Shortcut
from amends.dispatch.messages import is_in_saga


def _needs() -> Iterator[tuple[object, str]]:
    for name in ("append", "ack", "restore_by_tag", "_delivered"):
        yield redis.QoS, name
    for name in ("QoS", "conn_or_acquire", "_do_restore_message"):
        yield redis.Channel, name


_shortcut = Shortcut(
    "messages that a worker holds", instead="kombu's copy of each in the broker", needs=_needs
)


class InMemoryQoS(redis.QoS):
    """The messages that a channel has fetched. Those of sagas go back to their queue from here where they are rejected."""

    channel: Any
    _delivered: Any

    def __init__(self, channel: Any, *arguments: Any, tasks: Any, **options: Any) -> None:
        super().__init__(channel, *arguments, **options)
        self._tasks = tasks

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note a message that was fetched."""
        kind = virtual.QoS if self._is_hint(message) else redis.QoS
        kind.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Note that a message is done."""
        kind = virtual.QoS if self._hint(delivery_tag) else redis.QoS
        kind.ack(self, delivery_tag)

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's
        """Give a message back to its queue."""
        message = self._hint(tag)
        if message is None:
            super().restore_by_tag(tag, client=client, leftmost=leftmost)
            return
        to = message.delivery_info["exchange"], message.delivery_info["routing_key"]
        with self.channel.conn_or_acquire(client) as giver:
            try:
                self.channel._do_restore_message(message._raw, *to, giver, leftmost)  # noqa: SLF001
            except Exception as error:  # noqa: BLE001 - what a kombu that is not known raises
                _shortcut.give_up(error)  # and a sweep publishes another

    def _hint(self, tag: str) -> Any:
        """Return the message of a saga that has this tag, None for another one."""
        message = self._delivered.get(tag)
        return message if message is not None and self._is_hint(message) else None

    def _is_hint(self, message: Any) -> bool:
        try:
            task = self._tasks.get(message.headers.get("task"))
            args, kwargs, _ = message.payload if isinstance(task, ActivityTask) else ((), {}, {})
        except Exception:  # noqa: BLE001 - whatever cannot be read is Celery's to refuse
            return False
        return is_in_saga(args, kwargs)


def hold_in_memory(channel: Any, tasks: Any) -> None:
    """Let a channel that has fetched nothing yet hold the messages of sagas in memory alone.

    channel: of kombu's Redis transport; another one stays as it is, and so does one without acknowledgements.
    tasks: the app's, by name.
    """
    if getattr(channel, "QoS", None) is redis.QoS and _shortcut.is_on:
        channel.QoS = partial(InMemoryQoS, tasks=tasks)  # which kombu makes at first use
