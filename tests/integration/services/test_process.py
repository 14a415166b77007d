"""The server process: where it listens, what it keeps, how it starts and how it ends."""

import signal
import socket
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from tests.integration.services.sandbox_client import (
    EXTERNAL,
    INVENTORY,
    PRIMARY,
    REPOSITORY,
    SHIPPING,
    TIMEOUT,
    Sandbox,
    ServerProcess,
)


def connect(server: ServerProcess) -> socket.socket:
    port = int(server.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)


def start_in_vain(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def test_everything_survives_the_death_of_the_process(database: Path, order_id: str, key: str):
    with ServerProcess(database) as server:
        sandbox = Sandbox(server.url)
        sandbox.set_stock("plentiful", 10)
        answer = sandbox.post(INVENTORY, order_id, key)
        sandbox.undo(PRIMARY, key)
        sandbox.set_faults(SHIPPING, down=True)
        entry = sandbox.ledger(order_id)
        server.kill()
    with ServerProcess(database) as server:
        sandbox = Sandbox(server.url)
        assert sandbox.stock("plentiful") == 8
        assert sandbox.post(INVENTORY, order_id, key).json() == answer.json()
        assert sandbox.post(PRIMARY, order_id, key).status_code == 410
        assert sandbox.post(SHIPPING, order_id, key).status_code == 503
        assert sandbox.ledger(order_id) == entry


def test_it_listens_on_loopback_only(server: ServerProcess):
    assert server.url.startswith("http://127.0.0.1:")


def test_it_announces_itself_and_has_nothing_else_to_say(database: Path, order_id: str, key: str):
    """Neither an access log nor a complaint about the connections that it cuts on purpose."""
    with ServerProcess(database) as server, Sandbox(server.url) as sandbox:
        sandbox.post(PRIMARY, order_id, key)
        sandbox.set_faults(PRIMARY, lost_reply_rate=1)
        with pytest.raises(httpx.TransportError):
            sandbox.post(PRIMARY, order_id, key)
        server.process.terminate()
        stdout, stderr = server.process.communicate(timeout=TIMEOUT)
    assert server.announcement.startswith("The services listen on http://")
    assert (stdout, stderr) == ("", "")


def test_without_a_setting_the_database_is_a_file_in_the_run_directory(tmp_path: Path):
    with ServerProcess(tmp_path, directory=tmp_path, SERVICES_DATABASE_URL=""):
        assert (tmp_path / ".run" / "services.db").is_file()


def test_connections_are_kept_alive(server: ServerProcess):
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=TIMEOUT)
    with closing(connection):
        connection.connect()
        first = connection.sock
        for path in ("/health", "/unknown", "/shipping/shipments/unknown"):
            connection.request("GET", path)
            connection.getresponse().read()
            assert connection.sock is first


def test_an_answer_does_not_wait_for_the_acknowledgement_of_another(sandbox: Sandbox, key: str):
    """With Nagle's algorithm on, every call over a kept connection takes 40 ms and more."""
    calls = [sandbox.post(EXTERNAL, key, f"{key}:{n}") for n in range(30)]
    assert min(call.elapsed.total_seconds() for call in calls[10:]) < 0.03


def test_a_cut_connection_carries_no_byte_of_an_answer(
    sandbox: Sandbox, server: ServerProcess, key: str
):
    sandbox.set_faults(SHIPPING, lost_undo_reply_rate=1)
    with connect(server) as connection:
        connection.sendall(
            f"DELETE {SHIPPING.path}/{key} HTTP/1.1\r\nHost: services\r\n\r\n".encode()
        )
        try:
            received = connection.recv(65_536)
        except ConnectionResetError:
            received = b""
    assert received == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_soon_with_connections_open(database: Path, number: signal.Signals):
    with ServerProcess(database) as server:
        sandbox = Sandbox(server.url)
        assert sandbox.http.get("/health").status_code == 200
        server.process.send_signal(number)
        _, stderr = server.process.communicate(timeout=60)  # an idle connection is kept for 75
        assert stderr == ""
        sandbox.http.close()


def test_a_signal_ends_it_soon_with_a_request_under_way(database: Path, key: str):
    with ServerProcess(database) as server, Sandbox(server.url) as sandbox:
        sandbox.set_faults(SHIPPING, latency=60)
        with connect(server) as slow:
            slow.sendall(f"GET {SHIPPING.path}/{key} HTTP/1.1\r\nHost: services\r\n\r\n".encode())
            # Answered after the slow request came in, so that one is under way.
            assert sandbox.http.get("/health").status_code == 200
            server.process.terminate()
            server.process.wait(timeout=30)  # the slow one would take 60


def test_a_taken_port_is_named_in_one_sentence(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = start_in_vain(
            SERVICES_PORT=port, SERVICES_DATABASE_URL=f"sqlite:///{tmp_path / 's.db'}"
        )
    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "SERVICES_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVICES_PORT", "http"),
        ("SERVICES_PORT", "70000"),
        ("SERVICES_DATABASE_URL", "nonsense"),
        ("SERVICES_DATABASE_URL", "sqlite://"),
        ("SERVICES_DATABASE_URL", "sqlite:////proc/no/such/place.db"),
    ],
)
def test_an_unusable_setting_ends_the_start_with_a_sentence(name: str, value: str):
    ended = start_in_vain(**{"SERVICES_PORT": "0", name: value})
    assert ended.returncode == 1
    assert ended.stderr.startswith("The services cannot start: ")
    assert "Traceback" not in ended.stderr
