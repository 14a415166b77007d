"""``celery saga metrics``."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

WITHOUT = """
import sys
sys.modules["prometheus_client"] = None
from celery import Celery
from celery.bin.base import CLIContext
from amends_commands import saga
app = Celery("shop", broker="memory://")
app.conf.amends_backend = "memory://"
saga(["metrics", "--once"], obj=CLIContext(app=app, no_color=True, workdir=None))
"""
SHOP = """
from celery import Celery
import amends
app = Celery("shop", broker="memory://")
app.conf.amends_backend = {log!r}
"""


@contextlib.contextmanager
def served(folder, *options, log="memory://shop"):
    """Run the command for an app of its own; give the process and the address that it tells."""
    (folder / "shop.py").write_text(SHOP.format(log=log), encoding="utf-8")
    words = ["celery", "-A", "shop", "saga", "metrics", "--json", *options]
    where = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-m", *words], env=where, **pipes)
    try:
        yield process, json.loads(process.stdout.readline())["url"]
    finally:
        process.kill()
        process.communicate()


def test_once_prints_them_as_prometheus_reads_them(run):
    shown = run("metrics", "--once")
    assert shown.exit_code == 0
    assert "# TYPE amends_log_up gauge\namends_log_up 1.0\n" in shown.stdout
    assert shown.stdout.endswith("\n")


def test_once_with_json_prints_a_line_for_each_sample(run):
    shown = run("metrics", "--once", "--json")
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    assert {"name": "amends_log_up", "labels": {}, "value": 1.0} in lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_they_are_served_until_it_is_told_to_end(tmp_path, number):
    with served(tmp_path, "--port", "0") as (process, url):
        for _ in range(2):
            assert "amends_log_up 1.0" in httpx.get(url, timeout=10).text
        process.send_signal(number)
        assert process.wait(10) == 0


def test_once_without_the_log_says_so_in_the_metrics_and_by_the_exit_code(app, run):
    app.conf.amends_backend = "redis://127.0.0.1:1/0"
    shown = run("metrics", "--once")
    assert shown.exit_code == 5
    assert "amends_log_up 0.0\n" in shown.stdout
    assert "error: the saga log at amends_backend cannot be reached" in shown.stderr


def test_they_are_served_while_the_log_is_away_and_the_reason_is_told(tmp_path):
    with served(tmp_path, "--port", "0", log="redis://127.0.0.1:1/0") as (process, url):
        assert "amends_log_up 0.0" in httpx.get(url, timeout=60).text
        said = process.stderr.readline().decode()
        assert "cannot be reached" in said
        assert process.poll() is None


def test_a_port_that_is_taken_is_said_in_one_line(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        shown = run("metrics", "--port", str(taken.getsockname()[1]))
    assert shown.exit_code == 5
    assert shown.stderr.count("\n") == 1
    assert "--port" in shown.stderr


def test_an_app_without_a_log_is_told_at_once(app, run):
    app.conf.amends_backend = None
    shown = run("metrics", "--port", "0")
    assert shown.exit_code == 5
    assert "amends_backend" in shown.stderr


def test_without_the_extra_it_says_what_to_install():
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False
    )
    assert found.returncode == 5
    assert found.stderr.count("\n") == 1
    assert "pip install 'amends[metrics]'" in found.stderr
