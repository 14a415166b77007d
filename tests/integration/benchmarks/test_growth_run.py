"""A short run of `benchmarks.growth`, which shows that it works, and no more."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks.growth.plan import AXES

SHORT = {
    "ROUNDS": "1",
    "SAGAS": "10",
    "OTHERS": "200,2000",
    "STEPS": "2,5",
    "PAYLOADS": "1000",
    "WORKERS": "1",
}


@pytest.mark.long
def test_a_short_run_measures_each_axis(tmp_path):
    results = tmp_path / "growth.json"
    subprocess.run(
        [sys.executable, "-m", "benchmarks.growth"],
        env={**os.environ, **SHORT, "RESULTS": str(results)},
        check=True,
        timeout=600,
    )
    rows = json.loads(results.read_text(encoding="utf-8"))["rows"]
    assert {row["axis"] for row in rows} == set(AXES)
    kinds = {"others", "scripts", "idle", "log", "load", "due", "removal"}
    assert {row["what"] for row in rows} >= kinds
