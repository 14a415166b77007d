"""Circuit breakers on the command line."""

import getpass
import json

import pytest

from amends import CircuitBreaker, CircuitOpenError
from amends.breaker.states import CircuitState
from amends.cli.breakers.text import Reading
from amends.definition.serialization import error_json
from amends.log.queries.circuit_waits import CircuitWaits
from amends.log.saga_log import log_of
from demo.ports import free_port
from tests.support.sagas.fulfilment import Moves as Parcels

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


def defer(moves, saga_id, path, circuit="cli-bank", token="t"):
    """Let a record meet an open circuit."""
    moves.claim(saga_id, path)
    error = error_json(CircuitOpenError(circuit, "open", 30.0))
    moves.log.retry_step(
        *(saga_id, path), token=token, error=error, wait=30.0, unknown=False, cost="nothing"
    )


def test_one_says_how_many_sagas_wait_for_it_and_how_to_list_them(run, moves):
    trip()
    moves.start("v-1", "v-2", "v-3", "v-4")
    defer(moves, "v-1", "room")
    defer(moves, "v-2", "room")
    defer(moves, "v-3", "room", circuit="cli-post")
    shown = run("breaker", "cli-bank").stdout
    assert "2 sagas wait for it:" in shown
    assert "saga list --circuit cli-bank" in shown
    listed = json.loads(run("list", "--circuit", "cli-bank", "--json").stdout)["sagas"]
    assert sorted(each["id"] for each in listed) == ["v-1", "v-2"]
    assert row(run("breakers"), "cli-post").split()[3] == "1"


def test_a_saga_that_goes_on_waits_for_no_circuit(run, moves):
    moves.start("v-1")
    defer(moves, "v-1", "room")
    moves.log.claim_step("v-1", "room", token="u", owner="worker:1:message", retries=9)
    assert json.loads(run("breaker", "cli-bank", "--json").stdout)["waiting"] == 0
    assert "wait for it" not in run("breaker", "cli-bank").stdout


def test_a_circuit_of_each_worker_is_found_by_the_name_of_its_breaker(run, moves):
    moves.start("v-1", "v-2")
    defer(moves, "v-1", "room", circuit="cli-calls@celery@h")
    defer(moves, "v-2", "room", circuit="cli-calls-too")
    for name in ("cli-calls", "cli-calls@celery@h"):
        found = json.loads(run("list", "--circuit", name, "--json").stdout)["sagas"]
        assert [each["id"] for each in found] == ["v-1"]


def test_where_not_all_sagas_were_looked_at_that_is_said(app, moves):
    moves.start("v-1", "v-2", "v-3")
    for each in ("v-1", "v-2", "v-3"):
        defer(moves, each, "room")
    waits = CircuitWaits.read(app, most=2)
    assert (waits.counts, waits.looked_at, waits.is_cut) == ({"cli-bank": 2}, 2, True)
    read = Reading.of(bank, waits, most=1)
    assert read.waiting_text == "2+"


def test_one_is_opened_for_a_time(run):
    shown = run("breaker", "cli-bank", "open", "--for", "30m", *WHY)
    assert shown.exit_code == 0
    assert "forced open" in shown.stdout
    assert "It ends by itself at " in shown.stdout
    assert "30m from now" in shown.stdout or "29m 59s from now" in shown.stdout
    assert "breaker.forced_open for 30m" in shown.stdout
    assert bank.snapshot().forced_until is not None
    assert json.loads(run("breaker", "cli-bank", "--json").stdout)["forced_until"][-1] == "Z"


@pytest.mark.parametrize("arguments", [["close"], ["disable"], []])
def test_a_time_goes_with_open_alone(run, arguments):
    shown = run("breaker", "cli-bank", *arguments, "--for", "30m", *WHY)
    assert shown.exit_code == 2
    assert "--for goes with open alone" in shown.stderr


def test_too_long_a_time_is_refused(run):
    shown = run("breaker", "cli-bank", "open", "--for", "31d", *WHY)
    assert shown.exit_code == 2
    assert "at most 30d" in shown.stderr
    assert bank.state is CircuitState.CLOSED


def test_calls_that_were_kept_away_are_shown(run):
    trip()
    with pytest.raises(CircuitOpenError):
        bank.acquire()
    assert "Kept away so far: 1 call." in run("breaker", "cli-bank").stdout


def test_of_branches_each_may_wait_for_a_circuit(run, app):
    parcels = Parcels(app)
    parcels.start("o-1")
    parcels.do("o-1", "reserve")
    parcels.claim("o-1", "score")  # the record that the saga is listed with
    defer(parcels, "o-1", "pick", token="pick")
    found = json.loads(run("list", "--circuit", "cli-bank", "--json").stdout)["sagas"]
    assert [(each["id"], each["record"]) for each in found] == [("o-1", "score")]
