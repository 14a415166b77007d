"""The messages that wait in the broker: how many there are, and hands on them."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from redis import Redis
from redis.exceptions import RedisError

PATIENCE = 3.0
TIMEOUT = 1.0


class BrokerAway(Exception):  # noqa: N818 - reads as the sentence it is
    """The broker does not answer."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message as it waited in `queue`; `raw` is the broker's own form of it."""

    queue: str
    task_id: str
    raw: Any


class Queues(Protocol):
    """What the harness does with a broker's queues. Every method raises `BrokerAway`."""

    def lengths(self) -> Mapping[str, int]:
        """Count the waiting messages of each queue."""

    def take(self, draw: int) -> Message | None:
        """Take a message out of a queue, as a consumer that never acknowledges; None if none comes soon."""

    def put(self, message: Message, *, fresh: bool = False) -> None:
        """Put a message into its queue: delivered again, or with `fresh` published again."""


class RedisQueues:
    """The queues of Celery's Redis transport: lists, filled from the left and consumed from the right."""

    def __init__(self, url: str, names: Sequence[str]) -> None:
        self._names = list(names)
        self._client: Any = Redis.from_url(
            url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
        )
        self._waiting: Any = Redis.from_url(
            url, socket_timeout=PATIENCE + TIMEOUT, socket_connect_timeout=TIMEOUT
        )

    def lengths(self) -> Mapping[str, int]:
        """Count the waiting messages of each queue."""
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for name in self._names:
                    pipeline.llen(name)
                return dict(zip(self._names, pipeline.execute(), strict=True))
        except RedisError as error:
            raise BrokerAway(str(error)) from error

    def take(self, draw: int) -> Message | None:
        """Take a message out of a queue. It waits in line with the workers, so that it gets one."""
        first = draw % len(self._names)
        names = [*self._names[first:], *self._names[:first]]
        try:
            found = self._waiting.blpop(names, timeout=PATIENCE)
        except RedisError as error:
            raise BrokerAway(str(error)) from error
        if found is None:
            return None
        queue, raw = found
        task_id = json.loads(raw)["headers"]["id"]
        return Message(queue=queue.decode(), task_id=task_id, raw=raw)

    def put(self, message: Message, *, fresh: bool = False) -> None:
        """Put a message into its queue; a fresh one has a delivery tag of its own."""
        raw = message.raw
        if fresh:
            fields = json.loads(raw)
            fields["properties"]["delivery_tag"] = str(uuid.uuid4())
            raw = json.dumps(fields)
        try:
            self._client.lpush(message.queue, raw)
        except RedisError as error:
            raise BrokerAway(str(error)) from error
