"""What `make bench` is asked to compare."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from benchmarks.contenders import CONTENDERS, chosen
from benchmarks.course import directory_of
from benchmarks.growth.plan import Plan as GrowthPlan
from benchmarks.plan import Plan
from benchmarks.results import ratios


def test_a_plan_is_read_from_the_environment():
    environment = {"ROUNDS": "2", "ONLY": "plain,amends", "SYNC": "always", "ORDER": "0"}
    plan = Plan.read(environment)
    assert (plan.rounds, plan.sync, plan.order) == (2, ("always",), 0)
    assert [contender.name for contender in plan.contenders()] == ["plain", "amends"]
    assert Plan.read({}) == Plan()


def test_axes_of_growth_are_chosen_by_their_names():
    plan = GrowthPlan.read({"AXES": "steps,payload", "OTHERS": "10,20"})
    assert (plan.axes, plan.others) == (("steps", "payload"), (10, 20))
    with pytest.raises(ValueError, match="AXES names stepps; there are others, steps"):
        GrowthPlan.read({"AXES": "stepps"})


def test_all_take_part_unless_some_are_named():
    assert chosen() == list(CONTENDERS)
    with pytest.raises(ValueError, match=r"'plane'; there are plain, plain_no_results, amends"):
        chosen(("plane",))


def test_another_checkout_takes_part_with_its_own_interpreter(tmp_path):
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    found = chosen(("plain",), against=tmp_path)
    assert [each.name for each in found] == ["plain", "amends_against", "amends_inline_against"]
    assert found[1].python[0] == str(tmp_path / ".venv/bin/python")
    assert found[2].environment == {"BENCH_DISPATCH": "inline"}


def test_another_checkout_runs_beside_these_benchmarks_and_without_this_engine(tmp_path):
    contender = replace(CONTENDERS[2], checkout=tmp_path)
    directory = directory_of(contender, SimpleNamespace(directory=tmp_path))
    assert (directory / "benchmarks/driver.py").is_file()
    assert not (directory / "amends").exists()


def test_a_checkout_that_is_not_installed_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no \.venv: run `make install` there"):
        chosen(against=tmp_path)


def test_the_fast_path_is_switched_off_beside_those_that_have_it():
    found = chosen(("amends",), fast="both")
    assert [each.environment.get("BENCH_FAST_PATH") for each in found] == [None, "0", "0"]
    with pytest.raises(ValueError, match="FAST is 'off'"):
        chosen(fast="off")


def test_figures_are_compared_round_by_round_and_start_many_with_plain_starts():
    rounds = {
        "base": [{"starts": 2.0, "starts_many": None}, {"starts": 4.0, "starts_many": None}],
        "mine": [{"starts": 3.0, "starts_many": 8.0}, {"starts": 4.0, "starts_many": 6.0}],
    }
    assert ratios(rounds, "mine", "base", "starts") == [1.5, 1.0]
    assert ratios(rounds, "mine", "base", "starts_many") == [4.0, 1.5]
    assert ratios(rounds, "base", "mine", "starts_many") == []
