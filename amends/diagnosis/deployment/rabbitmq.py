"""Rules about a RabbitMQ as broker, by what it says of itself to whoever connects."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import celery
from celery.utils.quorum_queues import detect_quorum_queues

from amends.diagnosis.deployment.findings import Problem, Rule, Unseen, warning

_IGNORES_CLIENTS: Final = (4, 0, 1)  # the dead letters that a client tells of
_CELERY_KEEPS_QUIET: Final = (5, 6, 3)


@dataclass(frozen=True, kw_only=True)
class RabbitServer:
    """A RabbitMQ, and how an app uses it.

    version: of the server, as it says.
    quorum_queue: the first quorum queue that the app declares; with one, the server delays messages. '' without.
    celery_version: of the Celery that publishes.
    """

    url: str
    version: str
    quorum_queue: str
    celery_version: str = celery.__version__


def read_rabbitmq(app: celery.Celery, connection: Any, url: str) -> RabbitServer | None:
    """Read the properties that an AMQP server gave when this client connected; None if it is no RabbitMQ."""
    told = connection.connection.server_properties
    if told.get("product") != "RabbitMQ":
        return None
    _, queue = detect_quorum_queues(app, connection.transport.driver_type)
    return RabbitServer(url=url, version=str(told.get("version", "")), quorum_queue=queue)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


@warning("broker.delayed", fine="no delayed message is taken for one that goes round in a cycle")
def _delayed(server: RabbitServer) -> Iterator[Problem]:
    """Celery 9867 and 10111: a retry kept the headers of its last wait, among them RabbitMQ's list of dead letters."""
    if not server.quorum_queue or not server.version:
        raise Unseen
    is_old = _numbers(server.version) < _IGNORES_CLIENTS
    if is_old and _numbers(server.celery_version) < _CELERY_KEEPS_QUIET:
        yield Problem(
            what=f"RabbitMQ {server.version} drops a delayed message that Celery {server.celery_version} retries for the"
            f" second or third time, as one that goes round in a cycle ({server.quorum_queue} is a quorum queue): a retry"
            " of a task outside of sagas is lost; messages of sagas and activities are not",
            where=server.url,
            remedy="use Celery 5.6.3 or RabbitMQ 4.0.1, or a newer one",
        )


RULES: Final[Sequence[Rule[RabbitServer]]] = (_delayed,)
