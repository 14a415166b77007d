"""A doctor, workers of the examined app, and servers of a test's own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from demo import servers
from demo.ports import free_port
from demo.servers import redis_answers, redis_command
from tests.support.eventually import eventually

MOST = 2**16 - 10_000  # a cluster's Redis listens on the port that is so much higher, too
PATHS = os.pathsep.join(sys.path)
ROOM = "tests.integration.diagnosis.deployment"

Findings = list[dict[str, str]]


class Doctor:
    """Examines the app in a process of its own, where nothing else defines tasks.

    Workers that beat are waited for in any case, and need not answer the first call.
    """

    def __init__(self, settings: Mapping[str, Any], **patience: float) -> None:
        patience = {"total": 90.0, "first_call": 0.2, "next_call": 30.0, **patience}
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{ROOM}.doctor_main", json.dumps(patience)],
            env={**os.environ, "PYTHONPATH": PATHS, "EXAMINED_SETTINGS": json.dumps(settings)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def examine(self, **settings: Any) -> Findings:
        """Return the findings where these settings are other than the app has."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(settings) + "\n")
        self._process.stdin.flush()
        findings: Findings = json.loads(self._process.stdout.readline())
        return findings

    def finds(self, **settings: Any) -> dict[str, str]:
        """Return what is wrong, by its code."""
        found = self.examine(**settings)
        return {each["code"]: each["what"] for each in found if each["severity"] != "ok"}

    def sees(self, **settings: Any) -> set[str]:
        """Return the codes of what was looked at, and is fine."""
        return {each["code"] for each in self.examine(**settings) if each["severity"] == "ok"}

    def leave(self) -> None:
        self._process.kill()
        self._process.wait()


class Worker(servers.Worker):
    """A worker of an app beside this file."""

    def __init__(
        self, node: str, *, directory: Path, application: str = "examined_app", **how: Any
    ) -> None:
        settings, environment = how.pop("settings", {}), how.pop("environment", {})
        known = {"PYTHONPATH": PATHS, "EXAMINED_SETTINGS": json.dumps(settings), **environment}
        super().__init__(
            node,
            directory=directory,
            environment=known,
            application=f"{ROOM}.{application}",
            **{"concurrency": 1, **how},
        )


@contextmanager
def server(directory: Path, **settings: str) -> Iterator[str]:
    """Run a Redis of the test's own, as the system's but for these settings."""
    directory.mkdir(parents=True, exist_ok=True)
    port = next(port for port in iter(free_port, None) if port < MOST)
    changes = [
        part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", value)
    ]
    process = subprocess.Popen(
        [*redis_command(port, directory), *changes], stdout=subprocess.DEVNULL
    )
    try:
        eventually(lambda: redis_answers(f"redis://127.0.0.1:{port}"))
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def hanging(url: str) -> Iterator[None]:
    """Let a Redis answer nobody for a while."""
    with Redis.from_url(url) as client:
        pid = client.info()["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
