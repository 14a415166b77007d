"""A project of Django's in a process of its own, as a web process and as a worker."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from demo.programs import ROOT, Program, running
from tests.support.databases import PostgresServer, own_postgres

PROJECT = Path(__file__).parent / "project"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one process of xdist: each would have a PostgreSQL of its own."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group("django"))


class Project:
    """A copy of the project, in a directory of the test's.

    environment: what its processes have beside this one's.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        shutil.copytree(PROJECT, directory, dirs_exist_ok=True)
        self._environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{directory}",
            "DJANGO_SETTINGS_MODULE": "site_of_tests.settings",
            **environment,
        }

    def write(self, name: str, text: str) -> None:
        """Write a file of it."""
        (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
        (self.directory / name).write_text(text)

    def run(self, *words: str, fails: bool = False, **settings: Any) -> str:
        """Run a program of Python's in it, and return what it wrote. `settings` are Django's."""
        ran = subprocess.run(
            [sys.executable, *words],
            cwd=self.directory,
            env={**self._environment, "SETTINGS": json.dumps(settings)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode != 0) is fails, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    @contextmanager
    def worker(self, pool: str, **settings: Any) -> Iterator[Program]:
        """Run a worker of it, with one process, thread or greenlet."""
        command = (
            *(sys.executable, "-m", "celery", "-A", "site_of_tests", "worker", "-P", pool),
            *("-c", "1", "--without-mingle", "--without-gossip", "-l", "INFO"),
        )
        environment = {**self._environment, "SETTINGS": json.dumps(settings)}
        worker = Program(pool, command, directory=self.directory, environment=environment)
        with running(worker):
            yield worker


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with own_postgres() as server:
        yield server


@pytest.fixture
def urls(redis_url: str) -> dict[str, str]:
    """Give the environment that leads to an empty broker and log."""
    for database in (6, 7):
        with redis.Redis.from_url(f"{redis_url}/{database}") as client:
            client.flushdb()
    return {"BROKER": f"{redis_url}/6", "LOG": f"{redis_url}/7"}


@pytest.fixture
def project(tmp_path: Path, urls: dict[str, str]) -> Project:
    """Give a project with SQLite."""
    return Project(tmp_path, urls)
