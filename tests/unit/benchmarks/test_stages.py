"""What `make bench-stages` takes for the time of a stage."""

import pytest

from amends.log.history import Event
from benchmarks.stages.__main__ import Plan, join_of, table
from benchmarks.stages.saga import BRANCHES


def event(name, record, at):
    return Event(name=name, record=record, at=at, details={})


def test_a_stage_lasts_from_its_first_claim_to_the_claim_of_what_follows():
    history = [event("saga.started", None, 0.0)]
    for n in range(1, BRANCHES + 1):
        history.append(event("step.started", f"wait_{n}", 10.0 + n))
        history.append(event("step.completed", f"wait_{n}", 20.0 + n + (n == 2)))
    history.append(event("step.started", "finish", 33.0))
    assert join_of(history) == {"stage": 22.0, "longest": 11.0, "ratio": 2.0}


def test_what_the_environment_sets_is_measured():
    plan = Plan.read({"ROUNDS": "2", "ITEMS": "10"})
    assert (plan.rounds, plan.items, plan.sagas) == (2, 10, 30)
    with pytest.raises(ValueError, match="many"):
        Plan.read({"ITEMS": "many"})


def test_each_figure_has_a_row():
    rows = [
        {"what": "join", "dispatch": "chain", "ratio": 1.2},
        {"what": "items", "dispatch": "chain", "items": 2.0, "single": 1.0, "ratio": 2.0},
        {"what": "scripts", "dispatch": "chain", "a saga": 13.0},
    ]
    assert table(rows).row_count == 5
