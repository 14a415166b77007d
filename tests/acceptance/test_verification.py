"""``make verification`` as a person meets it in a terminal of 80 columns, with few payments."""

import os
import subprocess
import sys

from demo.programs import ROOT


def test_verify_keeps_each_charge_single_where_the_bank_ignores_keys(tmp_path):
    command = [sys.executable, "-m", "demo", "--directory", tmp_path, "verification"]
    given = {"AMENDS_TIME_SCALE": "0.05", "COLUMNS": "80", "ORDERS": "40", "LOST": "0.3"}
    environment = {name: value for name, value in os.environ.items() if name != "AMENDS_BACKEND"}
    told = subprocess.run(
        command, cwd=ROOT, env={**environment, **given}, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "with verify none was charged twice and none is missing" in told.stdout
    assert all(len(line) <= 80 for line in told.stdout.splitlines()[1:])
