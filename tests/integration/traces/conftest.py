"""A worker with a tracing tool, and what that noted."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from amends import SagaStatus
from amends.log.saga_log import SagaLog
from demo.programs import Program, running
from demo.servers import Worker
from tests.integration.traces.tools import NOTES, TOOLS
from tests.support.eventually import eventually

APP = "tests.integration.traces.traced_app"
RESTS = {SagaStatus.COMPLETED, SagaStatus.COMPENSATED, SagaStatus.STUCK}


@dataclass
class Traced:
    """Workers and starts with one tool."""

    tool: str
    directory: Path
    redis_url: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(Path.cwd()),
            "TRACED_BY": self.tool,
            "TRACED_BROKER": f"{self.redis_url}/4",
            "TRACED_LOG": f"{self.redis_url}/5",
            NOTES: str(self.directory / "notes"),
        }

    @contextmanager
    def worker(self, name: str = "one", *, pool: str = "solo", **more: str) -> Iterator[Program]:
        how = {"directory": self.directory, "environment": {**self.environment, **more}}
        worker = Worker(name, application=APP, concurrency=1, pool=pool, **how)
        with running(worker):
            yield worker

    def start(self, *saga_ids: str) -> None:
        command = [sys.executable, "-m", APP, *saga_ids]
        subprocess.run(command, env={**os.environ, **self.environment}, check=True)

    def notes(self) -> list[dict[str, Any]]:
        path = self.directory / "notes"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def wait_for(self, *saga_ids: str) -> None:
        client = redis.Redis.from_url(f"{self.redis_url}/5", decode_responses=True)
        with client:
            log = SagaLog(client)
            eventually(lambda: all(log.read_status(each) in RESTS for each in saga_ids))

    def trace_of(self, saga_id: str) -> list[dict[str, Any]]:
        """Give what was noted in the trace of a saga's request: requests are noted in the order of their starts."""
        notes = self.notes()
        requests = [each for each in notes if each.get("what") == "request"]
        started = [each["started"] for each in notes if "started" in each]
        own = requests[started.index(saga_id)]["trace"]
        return [each for each in notes if each.get("trace") == own]


def is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # a package that it is in
        return False


@pytest.fixture(scope="module", params=TOOLS)
def traced(request, redis_url, tmp_path_factory) -> Iterator[Traced]:
    """Give each tool that is installed in turn, with an empty log and broker."""
    package, _ = TOOLS[request.param]
    if not is_installed(package):
        pytest.skip(f"{package} is not installed")
    for database in (4, 5):
        with redis.Redis.from_url(f"{redis_url}/{database}") as client:
            client.flushdb()
    yield Traced(request.param, tmp_path_factory.mktemp(request.param), redis_url)
    Celery().set_current()
