"""Programs on a leash: what is started answers, and ends with its owner, however that ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kombu import Connection
from redis import Redis
from redis.exceptions import NoPermissionError

from demo import servers
from demo.log_user import as_log_user
from demo.ports import choose_port, free_port
from demo.programs import ROOT, DemoError, NotInstalled, Program, owned, running
from demo.servers import REDIS_SETTINGS, find_rabbitmq, find_redis, own_redis
from demo.system import running_system
from tests.support.eventually import eventually
from tests.support.servers import own_rabbitmq, skip_without

PORTS = 300

# A program with a child of its own, as a prefork worker is one.
CHILD = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
OWNER = """
import signal, sys, time
from pathlib import Path
from demo.programs import Program, owned, running
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in a shell's background ignores it
directory, *command = sys.argv[1:]
with owned(Path(directory)) as here, running(Program("family", command, directory=here)):
    time.sleep(600)
"""


def family(directory: Path) -> list[str]:
    return [sys.executable, "-c", PARENT, CHILD, str(directory)]


def alive(directory: Path) -> list[psutil.Process]:
    """Every process that has this test's directory in its command line or its home in it."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if any(str(directory) in part for part in process.info["cmdline"] or [])
        or (process.info["environ"] or {}).get("HOME", "").startswith(str(directory))
        if process.pid != os.getpid()
    ]


def has_family(directory: Path) -> bool:
    codes = [process.info["cmdline"][2] for process in alive(directory)]
    return PARENT in codes and CHILD in codes


@pytest.fixture
def owner(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process that owns a program with a child, and kill it in the end."""
    command = [sys.executable, "-c", OWNER, str(tmp_path), *family(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        eventually(lambda: has_family(tmp_path))
        yield process
        process.kill()


def test_a_redis_syncs_every_write_evicts_nothing_and_ends_with_its_context(tmp_path: Path) -> None:
    skip_without(find_redis)
    with own_redis(tmp_path) as url, Redis.from_url(url, decode_responses=True) as client:
        settings = client.config_get("*")
        assert {name: settings[name] for name in REDIS_SETTINGS} == REDIS_SETTINGS
        assert settings["bind"] == "127.0.0.1"
        assert alive(tmp_path)
    assert not alive(tmp_path)


def test_the_user_of_the_log_may_do_no_more_than_sagas_need_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_without(find_redis)
    monkeypatch.setenv("LOG_USER", "sagas")
    server = servers.RedisServer("redis", directory=tmp_path)
    with running(server), Redis.from_url(as_log_user(server.url)) as client:
        server.kill()
        server.start(wait=True)
        assert client.set("amends:x", "1")
        for command in (["FLUSHALL"], ["SET", "celery", "1"]):
            with pytest.raises(NoPermissionError):
                client.execute_command(*command)


def test_an_external_redis_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    away = {"AMENDS_BACKEND": f"redis://:secret@127.0.0.1:{free_port()}/0"}
    with pytest.raises(DemoError, match="AMENDS_BACKEND") as error:
        running_system(tmp_path, environment=away).__enter__()
    assert "secret" not in str(error.value)


def test_processes_that_ask_for_ports_at_the_same_time_get_others() -> None:
    code = f"from demo.ports import free_port; print(*(free_port() for _ in range({PORTS})))"
    asking = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    ports = [port for each in asking for port in each.communicate()[0].split()]
    assert len(set(ports)) == len(ports) == 4 * PORTS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_its_owner(
    owner: "subprocess.Popen[bytes]", number: signal.Signals, tmp_path: Path
) -> None:
    owner.send_signal(number)
    eventually(lambda: not alive(tmp_path))


def test_a_program_that_ends_unasked_is_named_with_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"]
    culprit = Program("culprit", command, directory=tmp_path)
    culprit.start()
    eventually(lambda: culprit.failed)
    with pytest.raises(DemoError, match=r"(?s)culprit ended with exit code 3.*the reason"):
        culprit.check()


def test_a_program_that_does_not_answer_is_named(tmp_path: Path) -> None:
    program = Program("family", family(tmp_path), directory=tmp_path)
    program.answers = lambda: False
    with running():
        program.start()
        with pytest.raises(DemoError, match=r"family did not answer within 0\.1 s"):
            program.await_ready(timeout=0.1)
        program.stop()
    # Who is killed, and nobody waits for, takes a moment to end.
    eventually(lambda: not alive(tmp_path))


def test_a_program_that_does_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STUBBORN, str(tmp_path)]
    program = Program("stubborn", command, directory=tmp_path)
    program.grace = 0.2
    program.start()
    eventually(lambda: program.new_lines() == ["up"])
    program.stop()
    assert not alive(tmp_path)


def test_a_directory_has_one_owner_at_a_time(
    owner: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    with pytest.raises(DemoError, match=f"process {owner.pid} runs in"), owned(tmp_path):
        pass


def test_a_port_that_was_asked_for_and_is_taken_is_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "demo", "--directory", str(tmp_path), "up"],
            cwd=ROOT,
            env={**os.environ, "SERVICES_PORT": port},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: port {port} (SERVICES_PORT) is taken")
    assert "Traceback" not in ended.stderr


def test_a_default_port_that_is_taken_is_avoided_and_said() -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        default = taken.getsockname()[1]
        port = choose_port("SERVICES_PORT", default=default, environment={}, say=said.append)
    assert port != default
    assert said == [f"port {default} is taken: using {port} (SERVICES_PORT sets another)"]


@pytest.mark.servers
def test_two_rabbitmqs_run_side_by_side_on_the_loopback_interface_and_end_with_their_contexts(
    tmp_path: Path,
) -> None:
    with own_rabbitmq(tmp_path / "one") as first, own_rabbitmq(tmp_path / "two") as second:
        with Connection(first) as connection, connection.SimpleQueue("orders") as queue:
            queue.put("1")
        with Connection(second) as connection, pytest.raises(connection.channel_errors):
            connection.default_channel.queue_declare(queue="orders", passive=True)
        listening = {
            connection.laddr.ip
            for process in alive(tmp_path)
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        assert {"epmd", "beam.smp"} <= {process.name() for process in alive(tmp_path)}
        assert listening == {"127.0.0.1", "::1"}
    eventually(lambda: not alive(tmp_path))


def test_where_no_rabbitmq_is_installed_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(servers, "DEBIAN_RABBITMQ", Path("/nowhere/rabbitmq-server"))
    with pytest.raises(NotInstalled, match=r"no RabbitMQ: .* package is rabbitmq-server"):
        find_rabbitmq()
