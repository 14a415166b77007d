"""Thousands of stuck sagas, from ``saga stuck`` to all repaired by the commands that it prints: whole processes, on a real Redis."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from celery.bin.base import CLIContext
from click.testing import CliRunner

from amends.backend.client import client_of
from amends.definition.states import SagaStatus
from amends.log.saga_log import log_of
from amends_commands import saga
from tests.support.app import in_process_app
from tests.support.engine_saga import job_saga
from tests.support.eventually import eventually
from tests.support.stuck_sagas import StuckSagas

ROOT = Path(__file__).parents[3]
STEP = "a"
CAUSES = {
    "httpx.ConnectTimeout: order {} was not answered in 30.{}s": 6,
    "httpx.RemoteProtocolError: Server disconnected": 3,
    "KeyError: 'sku'": 1,
}
"""Errors, each with how many of ten sagas have it."""


@pytest.fixture
def environment(redis_url: str) -> Iterator[dict[str, str]]:
    """Give the environment of commands, whose log is empty."""
    log, broker = f"{redis_url}/10", f"{redis_url}/11"
    client_of(log).flushdb()
    yield os.environ | {"AMENDS_BACKEND": log, "CELERY_BROKER_URL": broker}
    client_of(log).flushdb()
    client_of(broker).flushdb()


@pytest.fixture
def app(environment: dict[str, str]) -> Iterator[Celery]:
    """Give an app of this process on that log."""
    with in_process_app("bulk") as app:
        app.conf.update(
            broker_url=environment["CELERY_BROKER_URL"],
            amends_backend=environment["AMENDS_BACKEND"],
        )
        yield app
        app.close()


@pytest.fixture
def stuck(app: Celery) -> StuckSagas:
    return StuckSagas(log_of(app), job_saga.itinerary, STEP)


@pytest.fixture
def hears_interrupts() -> Iterator[None]:
    """Let children hear an interrupt, also where this process ignores it, as in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def begun(environment: dict[str, str], command: str) -> "subprocess.Popen[str]":
    """Begin a command as a process of its own: what is behind ``saga`` in it."""
    words = shlex.split(command.partition(" saga ")[2])
    return subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tasks", "saga", *words],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(app: Celery, command: str) -> tuple[int, str]:
    """Run a command in this process, and return its exit code, and what it says."""
    words = shlex.split(command.partition(" saga ")[2])
    given = CLIContext(app=app, no_color=True, workdir=None)
    shown = CliRunner().invoke(saga, words, obj=given)
    return shown.exit_code, shown.stdout


def causes_in(app: Celery) -> dict[str, int]:
    """Return how many sagas are stuck for each cause, by the command for them."""
    document = json.loads(ended(app, "celery saga stuck --json --limit 1")[1])
    assert document["total"] == sum(each["count"] for each in document["causes"])
    assert not document["total_is_cut"]
    return {each["command"]: each["count"] for each in document["causes"]}


@pytest.mark.usefixtures("hears_interrupts")
@pytest.mark.parametrize("others", [0, pytest.param(100_000, marks=pytest.mark.long)])
def test_from_stuck_to_repaired_by_the_printed_commands(environment, app, stuck, others):
    count = 5_000
    stuck.complete([f"done-{n}" for n in range(others)])
    errors = [text for text, share in CAUSES.items() for _ in range(share)]
    stuck.be_stuck({f"o-{n}": errors[n % 10].format(n, n % 7) for n in range(count)})
    assert stuck.count(SagaStatus.STUCK) == count

    causes = causes_in(app)
    shares = [count * share // 10 for share in CAUSES.values()]
    assert list(causes.values()) == shares
    first, *rest = causes

    at = 2 * count // 5
    with begun(environment, f"{first} --yes --why 'the shop is back' --by ada") as process:
        eventually(lambda: stuck.count(SagaStatus.STUCK) <= count - at, timeout=600, every=0.001)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    now = stuck.count(SagaStatus.STUCK)
    assert count - shares[0] < now <= count - at
    assert f"{count - now:,} done, {shares[0] - (count - now):,} not tried" in out
    *_, again = err.splitlines()
    assert list(causes_in(app).values()) == sorted(
        [now - sum(shares[1:]), *shares[1:]], reverse=True
    )

    # Two of them are stuck again meanwhile: they are of no concern to the act that goes on.
    stuck.fail_undo(dict.fromkeys(["o-0", "o-1"], "KeyError: 'sku'"))
    with begun(environment, again) as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (0, f"{now - sum(shares[1:]):,} done\n")
    assert stuck.count(SagaStatus.STUCK) == sum(shares[1:]) + 2

    for command in rest:
        assert ended(app, f"{command} --yes --why x")[0] == 0
    assert causes_in(app) == {}
    stuck.do_undo([f"o-{n}" for n in range(count)])
    assert stuck.count(SagaStatus.COMPENSATED) == count
    retries = {n: stuck.names(f"o-{n}").count("saga.retried") for n in (0, 1, 2, 6, 9, count - 1)}
    assert retries == {0: 2, 1: 2, 2: 1, 6: 1, 9: 1, count - 1: 1}
