"""A short run of `benchmarks.growth`, which shows that it works, and no more."""

import os
import shutil
import subprocess
import sys

import pytest

from benchmarks.growth.plan import AXES, Plan
from benchmarks.growth.results import Results

pytest.importorskip("matplotlib", reason="of the group bench")

SHORT = {
    "ROUNDS": "1",
    "SAGAS": "10",
    "OTHERS": "200,2000",
    "STEPS": "2,5",
    "PAYLOADS": "1000",
    "WORKERS": "1",
}


@pytest.mark.long
def test_a_short_run_measures_each_axis_and_writes_the_page(tmp_path):
    page, results = tmp_path / "page.md", tmp_path / "growth.json"
    shutil.copy(Plan().page, page)
    places = {"PAGE": str(page), "RESULTS": str(results)}
    subprocess.run(
        [sys.executable, "-m", "benchmarks.growth"],
        env={**os.environ, **SHORT, **places},
        check=True,
        timeout=600,
    )
    rows = Results.read(results).rows
    assert {row["axis"] for row in rows} == set(AXES)
    assert {row["what"] for row in rows} >= {"others", "scripts", "idle", "log", "load", "due"}
    assert "2,000 ended" in page.read_text(encoding="utf-8")
    assert (tmp_path / "growth-workers.svg").is_file()
