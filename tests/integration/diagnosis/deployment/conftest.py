"""Servers that are as they should be, a sound worker, and a doctor; what a test breaks is its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.integration.diagnosis.deployment.doctor_process import Doctor, Worker, server


@pytest.fixture(scope="package")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the directory of the workers' logs."""
    return tmp_path_factory.mktemp("examined")


@pytest.fixture(scope="package")
def log_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the saga log's Redis, apart from the broker's, so that a test may break it for a moment."""
    with server(tmp_path_factory.mktemp("log")) as url:
        yield f"{url}/0"


@pytest.fixture(scope="package")
def settings(redis_url: str, log_url: str) -> dict[str, Any]:
    with Redis.from_url(broker := f"{redis_url}/13") as client:
        client.flushdb()
    return {
        "broker_url": broker,
        "amends_backend": log_url,
        "task_queues": {
            name: {"exchange": name, "routing_key": name} for name in ("examined", "undo")
        },
    }


@pytest.fixture(scope="package")
def sound_worker(directory: Path, settings: dict[str, Any]) -> Iterator[Worker]:
    """Run a worker that is as it should be."""
    health = {"amends_health_file": str(directory / "%n.health")}
    worker = Worker("sound", directory=directory, settings={**settings, **health})
    worker.start(wait=True)
    yield worker
    worker.kill()


@pytest.fixture(scope="package")
def doctor(settings: dict[str, Any]) -> Iterator[Doctor]:
    doctor = Doctor(settings)
    yield doctor
    doctor.leave()


@pytest.fixture(scope="package")
def impatient_doctor(settings: dict[str, Any]) -> Iterator[Doctor]:
    """Give a doctor for what never answers."""
    doctor = Doctor(settings, total=6.0, next_call=1.0)
    yield doctor
    doctor.leave()


@pytest.hookimpl(tryfirst=True)  # as in the conftest.py of all tests
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep them in one worker of pytest, for they share a worker of Celery."""
    for item in items:
        if "deployment" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("diagnosis"))
