"""``saga stuck``: the causes, what is paused, and whether it is an all-clear."""

import json
import shlex

import pytest

from amends.cli.output import Output
from amends.log.queries.cause_groups import find_causes
from amends.log.queries.listing import find_sagas
from tests.support.stuck_sagas import StuckSagas
from tests.unit.cli.errands import errand_saga


@pytest.fixture
def causes(log):
    """Let 24 sagas be stuck for three causes."""
    errors = ["Away: no answer for e-{} in 30.{}s"] * 3 + ["KeyError: 'sku'"] * 2 + ["Full: {}"]
    sagas = StuckSagas(log, errand_saga.itinerary, "buy")
    sagas.be_stuck({f"e-{n}": errors[n % 6].format(n, n) for n in range(24)})


def test_many_begin_with_their_causes_and_a_total(run, causes, at_work, monkeypatch):
    monkeypatch.setattr(Output, "width", 80)
    shown = run("stuck")
    assert shown.exit_code == 1
    lines = shown.stdout.splitlines()
    assert lines[0] == "24 sagas are stuck, for 3 causes:"
    counts = [line.split()[0] for line in lines if " at buy:undo, the first for " in line]
    assert counts == ["12", "8", "4"]
    assert "    Away: no answer for <id> in <n>" in lines
    assert max(map(len, lines)) <= 80
    below = lines[lines.index("") :]
    listed = [line for line in below if line.startswith("e-")]
    assert len(listed) == 10
    assert "--limit 100 lists so many" in shown.stdout


def test_each_cause_has_the_command_that_acts_on_all_its_sagas(run, causes):
    document = json.loads(run("stuck", "--json", "--limit", "1").stdout)
    assert (document["total"], document["total_is_cut"]) == (24, False)
    assert [each["count"] for each in document["causes"]] == [12, 8, 4]
    left = 24
    for cause in document["causes"]:
        words = shlex.split(cause["command"].partition(" saga ")[2])
        assert run(*words, "--yes", "--why", "x").exit_code == 0
        left -= cause["count"]
        assert json.loads(run("stuck", "--json").stdout)["total"] == left


def test_one_alone_has_no_causes(run, stuck):
    stuck("e-1")
    assert run("stuck").stdout.startswith("id ")


def test_a_count_that_was_cut_is_told(run, causes, monkeypatch):
    given = find_causes.__kwdefaults__ | {"most_looked_at": 10}
    monkeypatch.setattr(find_causes, "__kwdefaults__", given)
    shown = run("stuck")
    assert shown.stdout.startswith("At least 10 sagas are stuck, for ")
    assert "Looked at 10 sagas, and stopped: there are more." in shown.stdout


class TestAllClear:
    def test_without_a_worker_there_is_none(self, run, waiting):
        waiting("e-1")
        shown = run("stuck")
        assert (shown.exit_code, shown.stdout) == (1, "No saga is stuck.\n")
        assert "No worker is alive" in shown.stderr
        document = json.loads(run("stuck", "--json").stdout)
        assert (document["workers"], document["log_is_empty"]) == (0, False)

    @pytest.mark.usefixtures("at_work")
    def test_with_one_there_is(self, run, waiting):
        waiting("e-1")
        shown = run("stuck")
        assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "No saga is stuck.\n", "")

    @pytest.mark.usefixtures("at_work")
    def test_a_log_without_a_saga_is_none_though_a_worker_is_there(self, run):
        shown = run("stuck")
        assert (shown.exit_code, shown.stdout) == (1, "")
        assert "This log has no saga yet" in shown.stderr
        assert json.loads(run("stuck", "--json").stdout)["log_is_empty"] is True

    @pytest.mark.usefixtures("at_work")
    def test_what_is_paused_is_counted(self, run, waiting):
        for handle in waiting("e-1", "e-2", "e-3", "e-4"):
            handle.pause()
        shown = run("stuck")
        assert shown.exit_code == 0
        assert "4 sagas are paused: " in shown.stderr
        assert " and 1 more\n" in shown.stderr
        assert json.loads(run("stuck", "--json").stdout)["paused"] == 4


class TestFinding:
    @pytest.fixture(autouse=True)
    def pages_read_five(self, monkeypatch):
        """Let a page read five sagas at most."""
        given = find_sagas.__kwdefaults__ | {"most_looked_at": 5}
        monkeypatch.setattr(find_sagas, "__kwdefaults__", given)

    def test_an_id_s_prefix_is_looked_through_to_its_end(self, run, waiting):
        waiting(*(f"e-{n}" for n in range(30)), "o-1")
        shown = run("list", "--id", "o-*", "--oldest-first")
        assert shown.exit_code == 0
        assert "o-1 " in shown.stdout

    def test_another_filter_that_stopped_early_is_exit_code_1(self, run, waiting):
        waiting(*(f"e-{n}" for n in range(30)))
        shown = run("list", "--step", "deliver")
        assert shown.exit_code == 1
        assert "No saga that was looked at fits.\nLooked at 5 sagas, and stopped." in shown.stdout
