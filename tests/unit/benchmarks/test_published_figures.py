"""The pages show the figures that are in the repository."""

import json
import re
import statistics
from pathlib import Path

import pytest

from benchmarks.results import COMPARED, column, ratios, spread

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "docs/performance.md"]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
SAGAS, GROWTH = (
    json.loads((ROOT / f"benchmarks/results/{name}.json").read_text(encoding="utf-8"))
    for name in ("sagas", "growth")
)
CPU = ("cpu_log", "cpu_broker", "cpu_worker")


def rows_of(label, **labels):
    """Group the rows of one kind by one of their labels."""
    rows = [row for row in GROWTH["rows"] if labels.items() <= row.items()]
    return {each: [row for row in rows if row[label] == each] for each in {r[label] for r in rows}}


@pytest.mark.parametrize("name", SAGAS["titles"])
@pytest.mark.parametrize("sync", SAGAS["rounds"])
def test_a_contender_is_compared_as_it_was_measured(sync, name):
    rounds, base = SAGAS["rounds"][sync], "plain"
    rate = statistics.median(column(rounds, name, "throughput"))
    compared = [spread(ratios(rounds, name, base, figure), 2) for figure in COMPARED]
    cells = [each and "1" if name == base else each for each in compared]
    assert f"| {SAGAS['titles'][name]} | {rate:.0f} | {' | '.join(cells)} |" in TEXT


@pytest.mark.parametrize(("what", "label"), [("steps", "steps"), ("payload", "bytes")])
@pytest.mark.parametrize("dispatch", ["chain", "inline"])
def test_the_cost_of_a_saga_is_told_as_it_was_measured(what, label, dispatch):
    for size, rows in rows_of(label, what=what, dispatch=dispatch).items():
        parts = size if what == "steps" else 1
        cells = [
            spread([sum(row[each] for each in figure) * 1000 / parts for row in rows], 1)
            for figure in (("wall",), CPU, ("cpu_log",))
        ]
        assert f"| {size:,}, {dispatch} | {' | '.join(cells)} |" in TEXT


def test_others_in_the_log_cost_what_was_measured():
    for kind, told in (("live", "alive"), ("ended", "ended")):
        for size, rows in rows_of("size", what="others", kind=kind).items():
            sums = [
                {(row["on"], row["round"]): sum(row[each] for each in figure) for row in rows}
                for figure in (("wall",), CPU)
            ]
            cells = [
                spread(
                    [value / each["without", n] for (on, n), value in each.items() if on == "with"],
                    2,
                )
                for each in sums
            ]
            assert f"| {size:,} {told} | {' | '.join(cells)} |" in TEXT


def test_the_processes_of_a_worker_bring_what_was_measured():
    for processes, rows in rows_of("processes", what="workers").items():
        rates = [
            spread([1 / r["wall"] for r in rows if (r["waits"], r["dispatch"]) == case], 1)
            for case in ((False, "chain"), (False, "inline"), (True, "chain"), (True, "inline"))
        ]
        assert f"| {processes} | {' | '.join(rates)} |" in TEXT


def test_every_plot_that_the_pages_show_is_there():
    names = set(re.findall(r"\]\((?:docs/)?([\w-]+\.svg)\)", TEXT))
    assert {"bench-sagas.svg", "growth-others.svg"} <= names
    assert all((ROOT / "docs" / name).is_file() for name in names)
