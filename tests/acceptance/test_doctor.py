"""The doctor examines the system as it is delivered."""

import os
import subprocess
import sys

from demo.programs import ROOT


def examined(system):
    return subprocess.run(
        [sys.executable, "-m", "celery", "-A", "tasks", "saga", "doctor", "--strict"],
        cwd=ROOT,
        env={**os.environ, **system.urls},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_wrong_with_the_system_as_it_is_delivered(system):
    ended = examined(system)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "\nerror 0, warning 0, ok " in ended.stdout


def test_of_workers_that_cannot_kill_only_that_is_said(threads_system):
    ended = examined(threads_system)
    _, *told = [line.split()[:3] for line in ended.stdout.splitlines() if not line.startswith(" ")]
    assert {tuple(each[:2]) for each in told if each} == {
        ("warning", "workers.pool"),
        ("error", "0,"),
    }
    assert ended.returncode == 1
