"""Commands that meet a log with another number of shards, or one that has no saga: it is said, and nothing is written."""

import pytest

import amends
from amends import ConfigurationError, UnknownSaga
from tests.support.log_view import view_of
from tests.unit.cli.errands import begin

READING = {
    "list": ("list",),
    "list by id": ("list", "--id", "e-1"),
    "stuck": ("stuck",),
    "show": ("show", "e-1"),
    "explain": ("explain", "e-1"),
    "history": ("history", "e-1"),
    "stats": ("stats",),
    "metrics": ("metrics", "--once"),
}
EMPTY = "This log has no saga yet: memory://"


@pytest.fixture
def wrong(app, stuck):
    """Give an app that has another number of shards than its log, in which a saga is stuck."""
    stuck("e-1")
    app.conf.amends_shards = 16
    return app


REFUSAL = "the saga log has 64 shards and amends_shards says 16; set it to 64"


@pytest.mark.parametrize("command", [each for each in READING if each != "metrics"])
def test_a_log_of_another_number_of_shards_is_refused(run, wrong, command):
    shown = run(*READING[command])
    assert (shown.exit_code, shown.stdout) == (5, "")
    assert REFUSAL in shown.stderr


def test_metrics_of_a_log_of_another_number_of_shards_say_that_it_is_not_read(run, wrong):
    """A file for Prometheus has to say it too, and must count no part of the log."""
    shown = run("metrics", "--once")
    assert shown.exit_code == 5
    assert "amends_log_up 0.0\n" in shown.stdout
    assert "amends_sagas{" not in shown.stdout
    assert f"error: {REFUSAL}" in shown.stderr


@pytest.mark.parametrize("act", ["retry", "cancel", "pause", "resume"])
def test_an_act_on_a_log_of_another_number_of_shards_is_refused(run, wrong, act):
    shown = run(act, "e-1", "--why", "x")
    assert shown.exit_code == 5
    assert "set it to 64" in shown.stderr


def test_a_handle_of_a_log_of_another_number_of_shards_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="set it to 64"):
        amends.get("e-1")


@pytest.mark.parametrize("command", READING)
def test_a_command_that_reads_writes_nothing(run, log, command):
    run(*READING[command])
    assert view_of(log).client.keys() == []


def test_a_handle_writes_nothing(log):
    with pytest.raises(UnknownSaga):
        amends.get("e-1")
    assert view_of(log).client.keys() == []


@pytest.mark.parametrize("command", ["list", "stuck", "stats", "metrics"])
@pytest.mark.parametrize("how", [(), ("--json",)])
def test_a_log_without_a_saga_is_no_all_clear(run, log, command, how):
    shown = run(*READING[command], *how)
    assert shown.exit_code == (1 if command == "stuck" else 0)
    assert EMPTY in shown.stderr
    assert "No saga" not in shown.stdout


def test_an_act_by_a_filter_on_a_log_without_a_saga_says_so(run, log):
    shown = run("retry", "--saga", "errand", "--why", "x")
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert EMPTY in shown.stderr


@pytest.mark.parametrize("command", ["list", "stuck", "stats", "metrics"])
def test_a_log_whose_sagas_have_left_is_not_called_new(run, app, log, command):
    app.conf.task_always_eager = True
    begin("e-1")
    log.maintenance.remove_sagas(["e-1"], kept_for=-1.0)
    assert EMPTY not in run(*READING[command]).stderr


@pytest.mark.parametrize("command", ["list", "list by id"])
def test_a_log_that_was_read_before_it_had_shards_is_looked_at_again(run, app, stuck, command):
    app.conf.amends_shards = 16
    assert run(*READING[command]).exit_code == 0
    app.conf.amends_shards = 64
    stuck("e-1")
    app.conf.amends_shards = 16
    assert run(*READING[command]).exit_code == 5
