"""``celery -A tasks saga ...`` as people and scripts run it: whole processes, on a real Redis."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from amends.backend.client import client_of
from amends.log.saga_log import SagaLog
from sagas.order import order_saga

ROOT = Path(__file__).parents[3]
ERROR = json.dumps({"type": "ConnectionError", "message": "the bank does not answer " * 5})
PATHS = [step.name for step in order_saga.itinerary.steps]


@pytest.fixture(scope="module")
def environment(redis_url: str) -> Iterator[dict[str, str]]:
    """Give the environment of a command: a log with a stuck order, a new one, and one that runs."""
    url = f"{redis_url}/8"
    client: redis.Redis = client_of(url)
    client.flushdb()
    log = SagaLog(client)
    log.starts.start_sagas(order_saga.itinerary, [(f"order-{n}", "{}") for n in range(3)])
    for path in PATHS[:3]:
        claim(log, "order-1", path)
        log.complete_step("order-1", path, token="t", output="{}", link="")
    lose(log, "order-1", PATHS[3])
    lose(log, "order-1", f"{PATHS[2]}:undo")
    claim(log, "order-1", f"{PATHS[1]}:undo")
    log.complete_step("order-1", f"{PATHS[1]}:undo", token="t", output="null", link="")
    claim(log, "order-2", PATHS[0])
    here = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")
    }
    yield here | {"AMENDS_BACKEND": url, "CELERY_BROKER_URL": f"{redis_url}/9", "TERM": "xterm"}
    client.flushdb()


def claim(log: SagaLog, saga_id: str, path: str) -> None:
    log.claim_step(saga_id, path, token="t", owner="worker:1", retries=0)


def lose(log: SagaLog, saga_id: str, path: str) -> None:
    claim(log, saga_id, path)
    log.fail_step(
        saga_id, path, token="t", error=ERROR, unknown=False, refused=True, outcome="lost", link=""
    )


def command(*arguments: str, app: str = "tasks") -> list[str]:
    return [sys.executable, "-m", "celery", "-A", app, "saga", *arguments]


def ended(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )


def on_terminal(environment: dict[str, str], columns: int, *arguments: str) -> list[str]:
    """Run a command on a terminal of this width, and return its lines."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        command(*arguments), env=environment, cwd=ROOT, stdin=its, stdout=its, stderr=its
    ):
        os.close(its)
        read = b""
        while chunk := _read(ours):
            read += chunk
    os.close(ours)
    return read.decode().replace("\r\n", "\n").splitlines()


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except OSError:  # the other end is closed
        return b""


def test_a_script_learns_from_the_exit_code_and_reads_plain_lines(environment):
    stuck = ended(environment, "stuck")
    assert stuck.returncode == 1
    assert stuck.stderr.startswith("No worker is alive")
    assert "\x1b" not in stuck.stdout
    _, line, lead = stuck.stdout.splitlines()
    assert line.startswith("order-1 ")
    assert line.endswith("the bank does not answer")  # a pipe gets all of it
    assert lead.endswith("celery -A tasks saga explain order-1")


def test_json_is_for_programs(environment):
    listed = ended(environment, "list", "--json", "--oldest-first")
    assert listed.returncode == 0
    sagas = json.loads(listed.stdout)["sagas"]
    assert [(saga["id"], saga["status"], saga["record"]) for saga in sagas] == [
        ("order-0", "pending", PATHS[0]),
        ("order-1", "stuck", f"{PATHS[2]}:undo"),
        ("order-2", "running", PATHS[0]),
    ]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_gets_colours_and_lines_that_fit(environment, columns):
    lines = on_terminal(environment, columns, "list")
    assert any("\x1b[31m\x1b[1mstuck" in line for line in lines)
    plain = [line for line in on_terminal(environment, columns, "list", "--no-color") if line]
    assert "\x1b" not in "".join(plain)
    assert columns // 2 < max(map(len, plain)) <= columns


def test_an_error_is_a_line_on_stderr(environment):
    unknown = ended(environment, "show", "visit-1")
    assert (unknown.returncode, unknown.stdout) == (3, "")
    assert unknown.stderr.startswith("error: there is no saga 'visit-1' in the log")
    assert unknown.stderr.count("\n") == 1


def test_a_log_that_is_away_is_a_line_on_stderr(environment):
    away = ended(environment | {"AMENDS_BACKEND": "redis://127.0.0.1:1/0"}, "list")
    assert (away.returncode, away.stdout) == (5, "")
    assert away.stderr.startswith("error: the saga log at amends_backend cannot be reached")
    assert away.stderr.count("\n") == 1


@pytest.fixture
def interruptible():
    """Let children hear an interrupt, also where this process ignores it, as in a shell's background."""
    was = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, was)


@pytest.mark.usefixtures("interruptible")
def test_a_saga_is_followed_until_an_interrupt_which_leaves_no_traceback(environment):
    with subprocess.Popen(
        command("show", "order-2", "--follow"),
        env=environment | {"PYTHONUNBUFFERED": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        told = [following.stdout.readline() for _ in range(2)]
        following.send_signal(signal.SIGINT)
        rest, errors = following.communicate(timeout=30)
    assert [line.split()[2] for line in told] == ["saga.started", "step.started"]
    assert (following.returncode, rest, errors) == (130, "", "")
