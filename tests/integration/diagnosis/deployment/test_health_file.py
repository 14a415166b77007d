"""The health file of real workers, and the line of shell that looks at it."""

import re
import subprocess
import threading
import time
from contextlib import suppress

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.worker.control import inspect_command
from redis import Redis
from redis.exceptions import RedisError

from amends.worker import health_file as health
from amends.worker import heartbeat
from demo.programs import ROOT
from tests.integration.diagnosis.deployment.doctor_process import Worker, hanging, server
from tests.support.app import ping
from tests.support.eventually import eventually


def documented():
    """Read the line from the page for operators."""
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    return re.search(r"^find (\S+) -newermt '-15 seconds' \| grep -q \.$", page, re.MULTILINE)


def is_alive(path, *, seconds=15):
    line = documented()[0].replace("15", str(seconds)).replace(documented()[1], str(path))
    return (
        subprocess.run(["/bin/sh", "-c", line], stderr=subprocess.DEVNULL, check=False).returncode
        == 0
    )


@pytest.fixture
def path(directory, sound_worker):
    return directory / "sound.health"


def test_a_worker_that_lives_and_reaches_its_log_is_alive_and_ready(path):
    assert is_alive(path)
    eventually(lambda: path.read_text() == health.READY)


def test_where_no_worker_is_there_is_none_alive(path):
    assert not is_alive(path.with_name("nobody.health"))


def test_a_worker_that_hangs_is_not_alive(path, sound_worker):
    sound_worker.freeze()
    try:
        eventually(lambda: not is_alive(path, seconds=3))
    finally:
        sound_worker.thaw()
    eventually(lambda: is_alive(path, seconds=3))


def test_a_worker_whose_log_hangs_is_alive_and_not_ready(path, log_url):
    with hanging(log_url):
        eventually(lambda: path.read_text() == health.AWAY)
        eventually(lambda: is_alive(path, seconds=3))
        assert path.read_text() == health.AWAY
    eventually(lambda: path.read_text() == health.READY)


def test_a_worker_that_ends_takes_its_file_with_it(directory, settings):
    path = directory / "passing.health"
    own = {**settings, "amends_health_file": str(directory / "%n.health")}
    worker = Worker("passing", directory=directory, settings=own, queues="none")
    worker.start(wait=True)
    assert path.exists()
    worker.ask_to_stop()
    eventually(lambda: not worker.runs)
    assert not path.exists()


@pytest.fixture
def hasty(redis_url, tmp_path, monkeypatch):
    """Give an app whose workers judge their main loops after a second, and its health file."""
    monkeypatch.setattr(health, "STANDS_AFTER", 1.0)
    monkeypatch.setattr(health, "INTERVAL", 0.1)
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.1)
    app = Celery("hasty", broker=f"{redis_url}/11", set_as_current=False)
    app.conf.update(amends_backend=f"{redis_url}/10", amends_health_file=str(tmp_path / "worker"))
    return app, tmp_path / "worker"


@pytest.mark.parametrize(("pool", "counts"), [("threads", True), ("solo", False)])
def test_a_main_loop_that_stands_counts_but_where_tasks_run_in_it(hasty, pool, counts):
    (app, path), hung = hasty, threading.Event()

    @inspect_command()
    def hang(state):
        """Hang until the file has grown old, or else until it was touched when that was due to have happened."""
        began = time.time()
        if counts:
            eventually(lambda: time.time() - path.stat().st_mtime > 2.0)
        else:
            eventually(lambda: path.stat().st_mtime > began + 2.0)
        hung.set()

    with start_worker(app, pool=pool, loglevel="CRITICAL", perform_ping_check=False):
        eventually(lambda: path.exists() and path.read_text() == health.READY)
        eventually(lambda: ping(app))
        with app.connection_for_write() as connection:
            app.control.broadcast("hang", connection=connection)
        assert hung.wait(60)
        if counts:
            old = path.stat().st_mtime
            eventually(lambda: path.stat().st_mtime > old)
    eventually(lambda: not path.exists())


def test_a_worker_whose_broker_is_away_lives(hasty, tmp_path):
    app, path = hasty
    with server(tmp_path / "broker") as url:
        app.conf.broker_url = url
        worker = start_worker(app, pool="threads", loglevel="CRITICAL", perform_ping_check=False)
        with worker:
            eventually(path.exists)
            eventually(lambda: ping(app))
            with Redis.from_url(url) as client, suppress(RedisError):
                client.shutdown(nosave=True)
            gone = time.time()
            eventually(lambda: path.stat().st_mtime > gone + 3 * health.STANDS_AFTER)
