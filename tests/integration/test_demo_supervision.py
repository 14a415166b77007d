"""One machine: what is started answers, and ends with its owner, however that ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis

from demo import redis
from demo.errors import AlreadyRunning, NotReady, ProcessEnded
from demo.ports import choose_port, free_port
from demo.supervision import ROOT, owned

# A program with a child of its own, as a prefork worker is one.
CHILD = "import time; time.sleep(600)"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
OWNER = """
import signal, sys, time
from pathlib import Path
from demo.supervision import owned
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in a shell's background ignores it
directory, *command = sys.argv[1:]
with owned(Path(directory)) as owner, owner.running({"family": command}, environment={}, echo=False):
    while True:
        owner.check()
        time.sleep(0.05)
"""


def family(directory: Path) -> list[str]:
    return [sys.executable, "-c", PARENT, CHILD, str(directory)]


def alive(directory: Path) -> list[psutil.Process]:
    """Every process that has this test's directory in its command line."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(directory) in part for part in process.info["cmdline"] or [])
        and process.pid != os.getpid()
    ]


def eventually(holds: Callable[[], bool], *, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)


def has_family(directory: Path) -> bool:
    codes = [process.info["cmdline"][2] for process in alive(directory)]
    return PARENT in codes and CHILD in codes


@pytest.fixture
def own_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a Redis of our own, whatever the environment says."""
    monkeypatch.delenv("AMENDS_BACKEND", raising=False)
    try:
        redis.find_server()
    except redis.RedisMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def owner(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process that owns a program with a child, and kill it in the end."""
    command = [sys.executable, "-c", OWNER, str(tmp_path), *family(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        eventually(lambda: has_family(tmp_path))
        yield process
        process.kill()


@pytest.mark.usefixtures("own_redis")
def test_a_redis_syncs_every_write_evicts_nothing_and_ends_with_its_context(tmp_path: Path) -> None:
    with redis.running(tmp_path) as url, Redis.from_url(url, decode_responses=True) as client:
        settings = client.config_get("*")
        assert settings["appendonly"] == "yes"
        assert settings["appendfsync"] == "always"
        assert settings["maxmemory-policy"] == "noeviction"
        assert settings["hash-max-ziplist-value"] == "1024"
        assert settings["save"] == ""
        assert settings["bind"] == "127.0.0.1"
        server = psutil.Process(client.info("server")["process_id"])
        assert alive(tmp_path)
    assert not server.is_running()
    assert not alive(tmp_path)


def test_an_external_redis_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"redis://:secret@127.0.0.1:{free_port()}/0"
    with (
        pytest.raises(NotReady, match="AMENDS_BACKEND") as error,
        redis.running(tmp_path, environment={"AMENDS_BACKEND": url}),
    ):
        pass
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_its_owner(
    owner: "subprocess.Popen[bytes]", number: signal.Signals, tmp_path: Path
) -> None:
    owner.send_signal(number)
    eventually(lambda: not alive(tmp_path))


def test_no_process_outlives_a_supervisor_that_is_killed(
    owner: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    for process in psutil.Process(owner.pid).children(recursive=True):
        if "demo.supervisor" in process.cmdline():
            process.kill()
    assert owner.wait(timeout=20) != 0
    eventually(lambda: not alive(tmp_path))


def test_a_program_that_ends_takes_the_others_with_it_and_is_named_with_its_log(
    tmp_path: Path,
) -> None:
    lines = [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"]
    programs = {"family": family(tmp_path), "culprit": lines}
    with (
        pytest.raises(ProcessEnded, match=r"(?s)culprit ended with exit code 3.*the reason"),
        owned(tmp_path) as owner,
        owner.running(programs, environment={}, echo=False),
    ):
        owner.await_answer("culprit", lambda: False, timeout=20.0)
    eventually(lambda: not alive(tmp_path))


def test_a_program_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(NotReady, match=r"family did not answer within 0\.1 s"),
        owned(tmp_path) as owner,
        owner.running({"family": family(tmp_path)}, environment={}, echo=False),
    ):
        owner.await_answer("family", lambda: False, timeout=0.1)


def test_a_directory_has_one_owner_at_a_time(
    owner: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    with pytest.raises(AlreadyRunning, match=f"process {owner.pid} runs in"), owned(tmp_path):
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
