"""What `make bench-waiting` tells of what it measured."""

import pytest

from benchmarks.waiting.__main__ import Plan, compared, tables
from benchmarks.waiting.timers import Probe

ONCE = {"calls": 3, "missing": 0, "repeated": 0}
TIMES = {
    f"{name}_{part}": 0.001
    for name in ("ping_before", "ping", "start_before", "start")
    for part in ("p50", "p99", "longest")
}
ROWS = [
    {"what": "held", "seconds": 1.0, "bytes_each": 1800.0, "messages": 0, "in_hand": 0},
    *({"what": "idle", "on": on, "worker": 0.01, "log": 0.0} for on in ("with", "without")),
    {"what": "sweep", "on": "with", "scripts": 0.003, "processor": 0.1},
    {"what": "sweep", "on": "without", "scripts": 0.002, "processor": 0.1},
    {"what": "signalled", "told": {"taken": 3}, "signalling": 1.0, "seconds": 2.0, **ONCE},
    {
        "what": "timers",
        "spread": 0.0,
        "first": 0.1,
        "seconds": 2.0,
        "peak": 3,
        "busy": 0.3,
        **TIMES,
        **ONCE,
    },
]


def test_what_the_environment_sets_is_measured():
    plan = Plan.read({"SAGAS": "100000", "SPREAD": "60"})
    assert (plan.sagas, plan.spread, plan.rounds) == (100_000, 60, 5)
    with pytest.raises(ValueError, match="many"):
        Plan.read({"SAGAS": "many"})


def test_a_sweep_is_compared_with_one_of_its_round():
    assert compared(ROWS, "sweep", "scripts", lambda a, b: a / b) == [1.5]


def test_each_figure_has_a_row():
    standing, burst = tables(Plan(), ROWS)
    assert (standing.row_count, burst.row_count) == (12, 10)


def test_answers_are_told_of_the_time_in_which_they_came():
    probe = Probe(ask=print, pause=0.0, answers=[(n, n / 1000) for n in range(1, 202)])
    assert probe.figures("ping", 101, 201) == {
        "ping_p50": 0.151,
        "ping_p99": 0.2,
        "ping_longest": 0.201,
    }
    assert probe.figures("ping", 300, 400)["ping_longest"] == 0.0
