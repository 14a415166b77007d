"""Short runs of `benchmarks.cluster` and `benchmarks.capacity`: that they work, and what a count says at any size."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks.capacity.tables import TABLES


def run(module, results, **settings):
    subprocess.run(
        [sys.executable, "-m", module],
        env={**os.environ, **settings, "RESULTS": str(results)},
        check=True,
        timeout=600,
    )
    return json.loads(results.read_text(encoding="utf-8"))["rows"]


@pytest.mark.long
def test_a_saga_costs_a_cluster_what_it_costs_one_redis(tmp_path):
    rows = run("benchmarks.cluster", tmp_path / "cluster.json", SAGAS="20")
    sagas = [row for row in rows if row["what"] == "sagas"]
    one, cluster = (
        {row["dispatch"]: row["by_name"] for row in sagas if len(row["by_node"]) == nodes}
        for nodes in (1, 3)
    )
    assert one == cluster
    assert {(row["elsewhere"], row["on_several"], row["strays"]) for row in sagas} == {(0, 0, 0)}


@pytest.mark.long
def test_a_short_run_models_each_load(tmp_path):
    short = {"ROUNDS": "1", "SAGAS": "5", "ENDED": "50", "WORKERS": "1,5", "SIMULATED": "50"}
    rows = run("benchmarks.capacity", tmp_path / "capacity.json", **short)
    kinds = {"share", "cost", "fleet", "kept", "among", "asked", "saga", "scenario"}
    assert {row["what"] for row in rows} == kinds
    for table in TABLES[2:]:  # those that need no cluster
        assert list(table([], rows)), table.__name__
