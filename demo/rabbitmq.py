"""A RabbitMQ of our own for this machine: the one that is installed, as no system service.

It has its data, its log and its Erlang cookie in the owner's directory, no plugins, and free ports on the loopback
interface. Erlang's name server (epmd) is its own too: one that Erlang starts by itself is a daemon that stays, and
that every node of the machine shares.
"""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from amqp import AMQPError
from kombu import Connection

from demo.errors import RabbitMQMissing
from demo.ports import LOOPBACK, free_port
from demo.supervision import Owner

TIMEOUT = 60.0
# Debian's script on the PATH changes to the user of the system service; this is what it runs then.
DEBIAN_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
# In one process group, so that whoever kills the server kills its epmd too.
SCRIPT = """\
epmd -address "$ERL_EPMD_ADDRESS" -port "$ERL_EPMD_PORT" &
until epmd -port "$ERL_EPMD_PORT" -names >/dev/null 2>&1; do sleep 0.05; done
exec "$0"
"""


@contextlib.contextmanager
def started(owner: Owner, *, echo: bool) -> Iterator[str]:
    """Run an empty RabbitMQ of our own in the owner's directory; yield its URL.

    Raises :class:`demo.errors.LocalError`.
    """
    data = owner.directory / "rabbitmq"
    shutil.rmtree(data, ignore_errors=True)
    port = free_port()
    url = url_of(port)
    with owner.running({"rabbitmq": command(port, data)}, environment={}, echo=echo):
        owner.await_answer("rabbitmq", lambda: answers(url), timeout=TIMEOUT)
        yield url


def find_server() -> Path:
    """Return the path of a ``rabbitmq-server`` that any user can run, or raise :class:`RabbitMQMissing`."""
    on_path = shutil.which("rabbitmq-server")
    if DEBIAN_SERVER.exists():
        return DEBIAN_SERVER
    if on_path is not None and shutil.which("epmd") is not None:
        return Path(on_path)
    raise RabbitMQMissing(
        "no RabbitMQ: there is no rabbitmq-server (with Erlang's epmd) on the PATH; Debian's package is "
        "rabbitmq-server"
    )


def url_of(port: int) -> str:
    """Name a server of ours as Celery's broker."""
    return f"amqp://guest:guest@{LOOPBACK}:{port}//"


def command(port: int, data: Path) -> list[str]:
    """Return the command that runs a server on `port`, with what an earlier one left in `data`, if any."""
    home = data.resolve()
    home.mkdir(parents=True, exist_ok=True)
    (home / "enabled_plugins").write_text("[].\n", encoding="ascii")
    settings = [f"{name}={value}" for name, value in _settings(port, home).items()]
    return ["env", *settings, "sh", "-c", SCRIPT, str(find_server())]


def answers(url: str) -> bool:
    """Say whether a server takes connections."""
    with Connection(url, connect_timeout=2.0) as connection:
        try:
            connection.connect()
        except (OSError, AMQPError):
            return False
        return True


def _settings(port: int, home: Path) -> Mapping[str, str]:
    return {
        "HOME": str(home),  # where the Erlang cookie is
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_FLAGS": "-start_epmd false",
        # Each has an epmd of its own, so one name does for all.
        "RABBITMQ_NODENAME": "rabbit@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_PLUGINS_EXPAND_DIR": str(home / "plugins"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "config"),
        # Not those of the system's service.
        "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
    }
