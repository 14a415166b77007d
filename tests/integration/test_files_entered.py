"""How many files of the engine somebody reads who follows one action through it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST = {"start": 14, "two steps": 18, "way back": 23, "operator's call": 14, "retry": 20}


@pytest.fixture(scope="module")
def entered(redis_url):
    """Trace in a process of its own, which has cached nothing and is traced by nothing else."""
    command = [sys.executable, "-m", "tests.support.files_entered", "--json"]
    environment = {**os.environ, "AMENDS_BACKEND": redis_url}
    told = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(told.stdout)


@pytest.mark.parametrize("action", MOST)
def test_an_action_enters_no_more_files_than_it_did(entered, action):
    assert len(entered[action]) <= MOST[action], "\n".join(entered[action])


def test_the_trace_sees_the_whole_path_of_an_action(entered):
    assert {"saga/definition.py", "log/starts.py"} <= set(entered["start"])
    assert {"activities/task.py", "log/saga_log.py"} <= set(entered["two steps"])
    assert {"dispatch/coordinator.py", "log/saga_log.py"} <= set(entered["way back"])
    assert "log/control.py" in entered["operator's call"]
