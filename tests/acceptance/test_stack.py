"""The whole system on one machine: every address answers, and nothing is left of it."""

from pathlib import Path

import httpx
import psutil
from redis import Redis

from demo import stack


def processes_of(directory: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["environ"])
        if str(directory) in (process.info["environ"] or {}).get("SERVICES_DATABASE_URL", "")
    ]


def test_every_address_answers_and_nothing_is_left(tmp_path: Path) -> None:
    with stack.running(
        tmp_path, flower=True, concurrency=1, environment={"AMENDS_TIME_SCALE": "0.02"}
    ) as environment:
        assert httpx.get(f"{environment['SERVICES_URL']}/health").status_code == 200
        assert httpx.get(environment["FLOWER_URL"], follow_redirects=True).status_code == 200
        for name in ("AMENDS_BACKEND", "CELERY_BROKER_URL"):
            with Redis.from_url(environment[name]) as client:
                assert client.ping()
        exported = (tmp_path / "env").read_text(encoding="utf-8")
        assert f"export AMENDS_BACKEND={environment['AMENDS_BACKEND']}\n" in exported
        assert "export AMENDS_TIME_SCALE=0.02\n" in exported
        # Two workers, each with its children, the services, Flower, and a leash for each.
        assert len(processes_of(tmp_path)) > 8
    assert not (tmp_path / "env").exists()
    assert not processes_of(tmp_path)
