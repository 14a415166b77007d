"""The page on scaling shows the figures that are in the repository."""

from pathlib import Path

import pytest

from benchmarks.capacity.tables import TABLES, read

LINES = (Path(__file__).parents[3] / "docs/scaling.md").read_text(encoding="utf-8").splitlines()
FIGURES = read("cluster"), read("capacity")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_a_table_is_told_as_it_was_measured(table):
    found = list(table(*FIGURES))
    first = LINES.index(found[0])
    assert LINES[first : first + len(found)] == found


def test_no_command_of_a_saga_went_astray_and_shares_are_even():
    cluster, _ = FIGURES
    for row in cluster:
        if row["what"] == "sagas":
            assert (row["elsewhere"], row["on_several"], row["strays"]) == (0, 0, 0)
            assert row["skew"] < 1.2
