"""Circuit breakers on the command line."""

import getpass
import json

import pytest

from amends import CircuitBreaker
from amends.breaker.states import CircuitState
from amends.log.saga_log import log_of
from demo.ports import free_port

WHY = ("--why", "the bank asked us to stop")

bank = CircuitBreaker("cli-bank", failure_on=(OSError,), failure_threshold=2, reset_timeout=30.0)
post = CircuitBreaker("cli-post", failure_on=(OSError,))


@pytest.fixture(autouse=True)
def here(app):
    app.set_current()


def fail():
    raise OSError("no route\n  to host")


def trip():
    for _ in range(2):
        with pytest.raises(OSError, match="no route"):
            bank.call(fail)


def row(shown, name):
    return next(line for line in shown.stdout.splitlines() if line.startswith(f"{name} "))


def test_all_of_the_app_are_listed_with_their_states(run):
    trip()
    shown = run("breakers")
    assert shown.exit_code == 0
    assert row(shown, "cli-post").split()[:3] == ["cli-post", "closed", "0"]
    assert "open" in row(shown, "cli-bank")
    assert "OSError: no route to host" in row(shown, "cli-bank")


def test_a_list_for_programs_has_the_same_fields_as_one(run):
    trip()
    listed = {each["name"]: each for each in json.loads(run("breakers", "--json").stdout)}
    one = json.loads(run("breaker", "cli-bank", "--json").stdout)
    assert listed["cli-bank"].keys() == one.keys()
    assert (one["state"], one["opens"], one["since"][-1]) == ("open", 1, "Z")
    assert 0 < one["retry_after"] <= 30
    assert [event["name"] for event in one["events"]] == ["breaker.opened"]
    assert one["events"][0]["failures"] == 2


def test_one_is_shown_with_what_that_means_and_its_transitions(run):
    trip()
    shown = run("breaker", "cli-bank").stdout
    assert "No call goes through" in shown
    assert "A call may find out in 30s." in shown or "A call may find out in 29s." in shown
    assert "It opens for 30s after 2 failures in a row, and closes after 1 success." in shown
    assert "breaker.opened" in shown


@pytest.mark.parametrize(
    ("act", "state"),
    [("open", CircuitState.FORCED_OPEN), ("disable", CircuitState.DISABLED)],
)
def test_a_person_takes_one_over_with_a_reason_and_clears_that(run, act, state, monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "cora")
    shown = run("breaker", "cli-bank", act, *WHY)
    assert shown.exit_code == 0
    assert bank.state is state
    assert "the bank asked us to stop" in shown.stdout
    event = bank.history()[-1]
    assert (event.by, event.why) == ("cora", WHY[1])
    assert run("breaker", "cli-bank", "clear", "--by", "ada", *WHY).exit_code == 0
    assert bank.state is CircuitState.CLOSED
    assert bank.history()[-1].by == "ada"


@pytest.mark.parametrize("act", ["close", "reset"])
def test_closing_one_zeroes_all_and_takes_away_what_a_person_decided(run, act):
    trip()
    bank.force_open()
    assert run("breaker", "cli-bank", act, *WHY).exit_code == 0
    assert (bank.state, bank.snapshot().opens) == (CircuitState.CLOSED, 0)


def test_without_a_reason_nothing_is_done(run):
    shown = run("breaker", "cli-bank", "open")
    assert shown.exit_code == 2
    assert "--why" in shown.stderr
    assert bank.state is CircuitState.CLOSED


def test_an_unknown_name_is_told_the_one_that_may_be_meant(run):
    shown = run("breaker", "cli-bnak")
    assert (shown.exit_code, shown.stdout) == (3, "")
    assert "no circuit breaker 'cli-bnak', did you mean 'cli-bank'?" in shown.stderr


def test_a_redis_that_is_away_is_its_own_code(run, app):
    app.conf.amends_backend = f"redis://127.0.0.1:{free_port()}/0"
    shown = run("breakers")
    assert shown.exit_code == 5
    assert "cannot be reached" in shown.stderr


def test_of_a_breaker_of_each_worker_those_of_live_workers_are_listed_and_taken_over(run, app):
    calls = CircuitBreaker("cli-calls", failure_on=(OSError,), scope="worker")
    log_of(app).workers.note_heartbeat("w", [1], node="celery@h")
    calls.of("celery@h").force_open(by="ada", why="a sick disk")
    assert "forced open" in row(run("breakers"), "cli-calls@celery@h").replace("_", " ")
    shown = run("breaker", "cli-calls@celery@h", "close", "--why", "a new disk")
    assert shown.exit_code == 0
    assert calls.of("celery@h").state is CircuitState.CLOSED
