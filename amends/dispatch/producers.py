"""Producers of sagas' messages, by connections of their own: a broker that hangs is not waited for without end.

Celery's connections have no time limit unless ``broker_transport_options`` gives them one, and the log has the message's due
entry: who publishes for a saga can do without an answer.
"""

from collections.abc import Mapping
from typing import Any, Final

from celery import Celery
from kombu import Producer
from kombu.pools import producers

_WAITS: Final[Mapping[str, Mapping[str, float]]] = {
    "redis": {"socket_timeout": 1.5, "socket_connect_timeout": 1.5},
    "amqp": {"read_timeout": 1.0, "write_timeout": 1.0},
}
"""Seconds that one answer of the broker is waited for, by kombu's transport; a publication waits for some of them."""
_CONNECTS_IN: Final = 1.5


def pool_of_producers(app: Celery) -> Any:
    """Make a pool of producers for sagas' messages.

    It is the app's own where kombu's transport knows no time limits, and where the app has producers of its own kind.
    """
    plain: Any = app.connection_for_write()
    given: Any = app.producer_pool
    waits = _WAITS.get(plain.transport.driver_type)
    if waits is None or given.Producer is not Producer:
        return given
    options = plain.transport_options or {}
    connection: Any = app.connection_for_write(
        connect_timeout=min(plain.connect_timeout or _CONNECTS_IN, _CONNECTS_IN),
        transport_options={
            name: min(options.get(name) or longest, longest) for name, longest in waits.items()
        },
    )
    return producers[connection]  # as Celery has its own, and of the same size
