"""The cells that `make matrix` runs, and the table of what was run."""

from collections import Counter
from datetime import date, timedelta

import pytest

from tests.chaos.brokers import BROKERS
from tests.chaos.scene import POOLS
from tests.chaos.schedule import Options
from tests.matrix.cells import CELLS, LOGS, choose
from tests.matrix.results import read_results, table_of, table_on_page


def test_the_page_has_the_table_of_the_results():
    assert table_on_page() == table_of(list(read_results().values()))


def test_each_result_is_of_a_cell():
    assert read_results().keys() <= {cell.name for cell in CELLS}


@pytest.mark.parametrize(("part", "names"), [("log", LOGS), ("broker", BROKERS), ("pool", POOLS)])
def test_each_part_is_in_two_cells_at_least(part, names):
    counted = Counter(getattr(cell, part) for cell in CELLS)
    assert counted.keys() == set(names)
    assert min(counted.values()) >= 2


def test_no_broker_is_with_a_pool_twice():
    assert max(Counter((cell.broker, cell.pool) for cell in CELLS).values()) == 1


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_chaos_takes_each_cell(cell):
    Options(log=LOGS[cell.log].log, broker=cell.broker, pool=cell.pool)


def test_a_day_has_three_cells_and_one_of_a_cluster_and_a_year_has_all():
    days = [choose("today", date(2027, 1, 1) + timedelta(days=k)) for k in range(30)]
    assert all(len({*cells}) == 4 for cells in days)
    assert all(sum(cell.log.startswith("cluster") for cell in cells) == 1 for cells in days)
    assert {cell for cells in days for cell in cells} == {*CELLS}


def test_cells_are_chosen_by_name_or_pattern():
    names = [cell.name for cell in choose("cluster/*/solo redis-8/redis/prefork", date(2027, 1, 1))]
    assert names == ["redis-8/redis/prefork", "cluster/redis-options/solo"]
