"""The page of `benchmarks.growth`, which is written from its figures."""

import re

from benchmarks.growth.page import PARTS, with_figures
from benchmarks.growth.plan import Plan
from benchmarks.growth.results import Results

PLAN = Plan()


def test_the_page_has_each_table_once():
    text = PLAN.page.read_text(encoding="utf-8")
    assert sorted(re.findall(r"<!-- figures: (\w+) -->", text)) == sorted(PARTS)


def test_the_tables_of_the_page_are_those_of_the_figures():
    text = PLAN.page.read_text(encoding="utf-8")
    assert with_figures(text, Results.read(PLAN.results)) == text


def test_writing_tables_changes_nothing_else():
    text = "before\n<!-- figures: retention -->\nold\n<!-- end -->\nafter\n"
    new = with_figures(text, Results.read(PLAN.results))
    assert new.startswith("before\n<!-- figures: retention -->\n| `amends_retention` |")
    assert new.endswith("|\n<!-- end -->\nafter\n")
    assert "old" not in new


def test_every_plot_that_the_page_shows_is_there():
    text = PLAN.page.read_text(encoding="utf-8")
    names = re.findall(r"\]\((growth-\w+\.svg)\)", text)
    assert len(names) == 4
    assert all((PLAN.page.parent / name).is_file() for name in names)
