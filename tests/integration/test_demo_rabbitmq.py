"""A RabbitMQ of our own: on the loopback interface alone, several at once, and nothing left of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from kombu import Connection

from demo import rabbitmq
from demo.supervision import ROOT, owned

OWNER = """
import sys, time
from pathlib import Path
from demo import rabbitmq
from demo.supervision import owned
with owned(Path(sys.argv[1])) as owner, rabbitmq.started(owner, echo=False):
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _installed():
    try:
        rabbitmq.find_server()
    except rabbitmq.RabbitMQMissing as missing:
        pytest.skip(str(missing))


def alive(directory: Path) -> list[psutil.Process]:
    """Every process whose home is in this test's directory."""
    return [
        process
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get("HOME", "").startswith(str(directory))
    ]


def eventually(holds: Callable[[], bool], *, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)


def listening(directory: Path) -> set[str]:
    return {
        connection.laddr.ip
        for process in alive(directory)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def message_count(url: str, queue: str) -> int:
    with Connection(url) as connection:
        return connection.default_channel.queue_declare(queue=queue, passive=True).message_count


def test_two_run_side_by_side_on_the_loopback_interface_and_end_with_their_contexts(
    tmp_path: Path,
) -> None:
    with (
        owned(tmp_path / "one") as one,
        owned(tmp_path / "two") as two,
        rabbitmq.started(one, echo=False) as first,
        rabbitmq.started(two, echo=False) as second,
    ):
        with Connection(first) as connection, connection.SimpleQueue("orders") as queue:
            queue.put("1")
        assert message_count(first, "orders") == 1
        with Connection(second) as connection, pytest.raises(connection.channel_errors):
            connection.default_channel.queue_declare(queue="orders", passive=True)
        names = {process.name() for process in alive(tmp_path)}
        assert {"epmd", "beam.smp"} <= names
        assert listening(tmp_path) == {"127.0.0.1", "::1"}
    eventually(lambda: not alive(tmp_path))


def test_nothing_of_it_outlives_an_owner_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        assert alive(tmp_path)
        os.kill(owner.pid, signal.SIGKILL)
    eventually(lambda: not alive(tmp_path))


def test_where_none_is_installed_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(rabbitmq, "DEBIAN_SERVER", Path("/nowhere/rabbitmq-server"))
    with pytest.raises(
        rabbitmq.RabbitMQMissing, match=r"no RabbitMQ: .* package is rabbitmq-server"
    ):
        rabbitmq.find_server()
