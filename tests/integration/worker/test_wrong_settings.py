"""A worker whose settings are wrong says so, and ends."""

import subprocess
import sys
import textwrap

import pytest

APP = """
    from celery import Celery

    import amends

    app = Celery("shop", broker="memory://")
    app.conf.amends_backend = "sentinel://log:26379"
"""


@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_a_worker_with_a_wrong_setting_ends_with_a_line_that_says_which(tmp_path, pool):
    (tmp_path / "shop.py").write_text(textwrap.dedent(APP), encoding="utf-8")
    command = [sys.executable, "-m", "celery", "-A", "shop", "worker", "-P", pool, "-c", "1"]
    ended = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    (line,) = [each for each in ended.stderr.splitlines() if "amends_backend" in each]
    assert "no sagas can run here: amends_backend names Sentinels" in line
    assert "Traceback" not in ended.stderr
