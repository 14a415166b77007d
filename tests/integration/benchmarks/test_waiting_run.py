"""A short run of `benchmarks.waiting`, which shows that it works, and no more."""

import json
import os
import subprocess
import sys

import pytest

SHORT = {"SAGAS": "60", "ROUNDS": "1", "IDLE": "1", "SPREAD": "2"}


@pytest.mark.long
def test_each_saga_that_waits_goes_on_once_and_so_does_each_timer(tmp_path):
    results = tmp_path / "waiting.json"
    subprocess.run(
        [sys.executable, "-m", "benchmarks.waiting"],
        env={**os.environ, **SHORT, "RESULTS": str(results)},
        check=True,
        timeout=600,
    )
    rows = json.loads(results.read_text(encoding="utf-8"))["rows"]
    held, signalled, *timers = (r for r in rows if r["what"] in {"held", "signalled", "timers"})
    assert (held["messages"], held["in_hand"]) == (0, 0)
    assert (signalled["exit_code"], signalled["told"]) == (0, {"taken": 60})
    assert [each["spread"] for each in timers] == [0.0, 2.0]
    once = {"calls": 60, "missing": 0, "repeated": 0}
    for each in (signalled, *timers):
        assert once.items() <= each.items()
