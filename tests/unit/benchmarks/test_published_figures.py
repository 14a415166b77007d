"""docs/performance.md shows the figures that are in the repository, and those of every contender."""

from pathlib import Path

import pytest

from benchmarks.contenders import CONTENDERS, chosen
from benchmarks.plan import Plan
from benchmarks.readme import BEGIN, END, renew, told
from benchmarks.results import Results, compared

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def results():
    return Results.read(ROOT / "benchmarks/results/sagas.json")


def test_the_page_shows_the_figures_of_the_repository(results):
    assert told(results) in (ROOT / "docs/performance.md").read_text(encoding="utf-8")


def test_the_figures_are_of_every_contender_and_both_ways_to_sync(results):
    assert results.left_out == {}
    assert list(results.rounds) == list(Plan().syncs)
    names = {contender.name for contender in CONTENDERS}
    assert all(rounds.keys() == names for rounds in results.rounds.values())


def test_figures_are_read_as_they_were_written(results, tmp_path):
    results.write(tmp_path / "figures.json")
    assert Results.read(tmp_path / "figures.json") == results


def test_start_many_is_compared_with_plain_starts(results):
    rounds = results.rounds["always"]
    mine, base = rounds["amends"][0].starts_many, rounds["plain"][0].starts
    assert compared(rounds, "amends", "starts_many", "plain")[0] == mine / base
    assert compared(rounds, "dbos", "starts_many", "plain") is None


def test_tables_are_put_between_the_marks_and_nowhere_else(results, tmp_path):
    page = tmp_path / "README.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    renew(page, results)
    assert page.read_text(encoding="utf-8") == f"before\n{told(results)}\nafter\n"
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="has no <!--"):
        renew(page, results)


def test_a_contender_that_nobody_knows_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"'plane'; there are plain, plain_no_results, amends"):
        chosen(["plane"])


def test_the_plan_is_read_from_the_environment():
    environment = {"ROUNDS": "2", "ONLY": "plain,amends", "SYNC": "always", "ORDER": "0"}
    plan = Plan.read(environment)
    assert (plan.rounds, plan.syncs, plan.order, plan.publish) == (2, ("always",), False, False)
    assert [contender.name for contender in plan.contenders()] == ["plain", "amends"]
    assert Plan.read({}) == Plan()
