"""The whole system on one machine: every address answers, and nothing is left of it."""

from pathlib import Path

import httpx
import psutil
from redis import Redis

from demo.ports import free_port
from tests.support.servers import whole_system


def test_every_address_answers_and_nothing_is_left(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))  # of other systems in this process
    with whole_system(
        tmp_path,
        flower=True,
        metrics_port=free_port(),
        concurrency=1,
        environment={"AMENDS_TIME_SCALE": "0.02"},
    ) as environment:
        assert httpx.get(f"{environment['SERVICES_URL']}/health").status_code == 200
        flower, login = environment["FLOWER_URL"], environment["FLOWER_BASIC_AUTH"].split(":")
        assert httpx.get(flower, follow_redirects=True).status_code == 401
        assert httpx.get(flower, auth=tuple(login), follow_redirects=True).status_code == 200
        assert "amends_log_up 1.0" in httpx.get(environment["METRICS_URL"], timeout=30).text
        for name in ("AMENDS_BACKEND", "CELERY_BROKER_URL"):
            with Redis.from_url(environment[name]) as client:
                assert client.ping()
        exported = (tmp_path / "env").read_text(encoding="utf-8")
        assert f"export AMENDS_BACKEND={environment['AMENDS_BACKEND']}\n" in exported
        assert "export AMENDS_TIME_SCALE=0.02\n" in exported
        started = set(psutil.Process().children(recursive=True)) - before
        assert (tmp_path / "env").stat().st_mode & 0o077 == 0  # it holds a password
        # Two workers with their children, the services, Flower, the metrics, and a leash for each.
        assert len(started) > 10
    assert not (tmp_path / "env").exists()
    _, left = psutil.wait_procs(started, timeout=20)
    assert left == []
