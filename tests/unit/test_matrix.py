"""The cells that `make matrix` runs, and the table of what was run."""

import json
from collections import Counter
from datetime import date, timedelta

import pytest

from tests.chaos.brokers import BROKERS
from tests.chaos.scene import POOLS
from tests.chaos.schedule import Options
from tests.matrix.cells import CELLS, LOGS, choose
from tests.matrix.results import read_results, table_of, table_on_page
from tests.matrix.runs import WIDTH, Run, closing_table, read_run


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


def run(*findings, dispatch="chain"):
    return Run(dispatch=dispatch, seed=7, figures={}, findings=findings)


def test_a_failed_cell_tells_below_its_name_by_which_dispatch_and_seed_and_why():
    ends = {
        "redis-8/redis/prefork": [run(), run(dispatch="inline")],
        "acl/redis/gevent": "not run: gevent is not installed",
        "sentinel/rabbitmq/gevent": [run(), run("order-7 (stuck): it is", dispatch="inline")],
    }
    assert closing_table(ends) == (
        "redis-8/redis/prefork                    passed\n"
        "acl/redis/gevent                         not run: gevent is not installed\n"
        "sentinel/rabbitmq/gevent                 FAILED\n"
        "    inline, SEED=7: order-7 (stuck): it is\n"
    )


def test_a_failed_cell_tells_of_many_findings_in_a_few_short_lines():
    *told, rest = str(run(*["wrong " * 100] * 20)).splitlines()
    assert rest == "    chain, SEED=7: and 16 more"
    assert len(told) == 4
    assert all(len(line) < WIDTH + 30 for line in told)


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ("Traceback:\n  ...\nBrokerAway: timed out\n", "BrokerAway: timed out"),
        ("error: it ended; its log:\n  a line\n", "error: it ended; its log: a line"),
        ("", "exit code -9"),
    ],
)
def test_a_run_without_a_verdict_tells_its_error(errors, says, tmp_path):
    read = read_run(tmp_path, dispatch="chain", seed=7, code=-9, errors=errors)
    assert read.figures is None
    assert str(read) == f"    chain, SEED=7: no verdict: {says}\n"


def test_a_run_has_its_figures_and_its_findings_apart(tmp_path):
    (tmp_path / "7").mkdir()
    figures = {"passed": False, "orders": 20}
    told = {**figures, "findings": ["a saga stood still"]}
    (tmp_path / "7" / "figures.json").write_text(json.dumps(told), encoding="utf-8")
    read = read_run(tmp_path, dispatch="chain", seed=7, code=1, errors="")
    assert (read.figures, read.findings) == (figures, ["a saga stood still"])
