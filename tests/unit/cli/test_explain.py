"""Explaining a saga from the command line."""

import json
import shlex
import sys

import pytest

from tests.support.log_view import view_of
from tests.unit.cli.errands import buy, give_back


@pytest.fixture
def called(monkeypatch):
    monkeypatch.setattr(
        sys, "argv", ["/opt/app/bin/celery", "-A", "shop", "saga", "explain", "e-1"]
    )


def test_a_stuck_saga_is_told_with_what_went_wrong_and_what_to_type(run, stuck, called):
    (handle,) = stuck("e-1")
    shown = run("explain", "e-1")
    assert shown.exit_code == 1
    events = len(handle.history())
    for said in (
        "e-1  errand  stuck",
        "Refused: nobody delivers to Nowhere",
        "ConnectionError: the shop is closed",
        "under the idempotency key e-1:buy.",
        f"celery -A shop saga retry e-1 --seen {events}\n",
        f"celery -A shop saga skip e-1 buy --seen {events}\n",
    ):
        assert said in shown.stdout


def test_each_command_that_is_printed_for_a_stuck_saga_does_what_it_says(run, stuck):
    for number, act in enumerate(("retry", "skip")):
        (handle,) = stuck(f"e-{number}")
        remedies = json.loads(run("explain", handle.id, "--json").stdout)["remedies"]
        line = next(each["command"] for each in remedies if each["act"] == act)
        words = shlex.split(line)
        assert run(*words[words.index("saga") + 1 :], "--why", "x").exit_code == 0
        assert handle.status != "stuck"


def test_as_json_each_fact_has_its_name_and_moments_are_text(run, stuck):
    stuck("e-1")
    document = json.loads(run("explain", "e-1", "--json").stdout)
    assert (document["situation"], document["status"]) == ("stuck", "stuck")
    assert document["failures"][0]["path"] == "buy:undo"
    assert document["failures"][0]["error"] == "ConnectionError: the shop is closed"
    assert document["turn"]["at"].endswith("Z")
    assert document["created_at"].endswith("Z")
    assert document["next_at"] is None
    assert [each["act"] for each in document["remedies"]] == ["retry", "skip"]


def test_a_saga_that_goes_on_by_itself_needs_nobody(run, waiting, log):
    waiting("e-1")
    assert run("explain", "e-1").exit_code == 0
    log.claim_step("e-1", "buy", token="t", owner="", retries=0)
    shown = run("explain", "e-1")
    assert shown.exit_code == 0
    assert "buy runs." in shown.stdout
    assert "Attempt 1 of 1 began at" in shown.stdout
    assert f"1. {give_back.name} undoes buy, should it have taken effect" in shown.stdout


def test_what_waits_is_told_with_its_error_and_when(run, waiting, log):
    waiting("e-1")
    log.claim_step("e-1", "buy", token="t", owner="", retries=0)
    error = '{"type":"NotDone","message":"the shop\\n is  full"}'
    log.retry_step("e-1", "buy", token="t", error=error, wait=90.0, unknown=False, cost="attempt")
    shown = run("explain", "e-1").stdout
    assert "NotDone: the shop is full." in shown
    assert "It is tried again at" in shown
    assert "(in 1m 30s)" in shown or "(in 1m 29s)" in shown


def test_a_pause_says_who_and_why(run, waiting):
    (handle,) = waiting("e-1")
    handle.pause(by="ada", why="a deploy")
    shown = run("explain", "e-1").stdout
    assert "ada paused it at" in shown
    assert ": a deploy." in shown
    assert "Nothing begins until an operator resumes it." in shown
    assert "saga resume e-1" in shown


def test_a_parked_saga_says_which_task_is_missing(run, waiting, log):
    waiting("e-1")
    assert log.note_unregistered("e-1", "buy", task=buy.name, most=1) == "parked"
    shown = run("explain", "e-1")
    assert shown.exit_code == 1
    assert f"no worker knows the task {buy.name}" in shown.stdout
    assert "Once a worker can run it, retry" in shown.stdout
    assert """skip e-1 buy --output '{"receipt": ...}' --seen 2""" in shown.stdout


def test_an_ended_saga_says_how_it_ended(run, app, waiting):
    app.conf.task_always_eager = True
    waiting("e-1")
    shown = run("explain", "e-1")
    assert shown.exit_code == 0
    assert "as completed: every step took effect, or was passed over." in shown.stdout
    assert "Nothing more." in shown.stdout


def test_of_a_saga_that_is_not_there_is_an_error(run):
    shown = run("explain", "e-1")
    assert (shown.exit_code, shown.stdout) == (3, "")
    assert "there is no saga 'e-1'" in shown.stderr


def test_the_list_of_what_is_stuck_leads_to_the_explanation(run, stuck, called):
    stuck("e-1")
    last = run("stuck").stdout.splitlines()[-1]
    assert last == "Why it is stuck, and what you can do: celery -A shop saga explain e-1"


def test_others_that_are_stuck_at_the_same_can_be_tried_again_all_at_once(run, stuck, called):
    handles = stuck("e-1", "e-2", "e-3")
    shown = run("explain", "e-1").stdout
    assert "Stuck at buy:undo too: 2. To try all of them again:" in shown
    line = "saga retry --saga errand --step buy:undo --all"
    assert f"celery -A shop {line}\n" in shown
    assert run(*shlex.split(line)[1:], "--yes", "--why", "x").exit_code == 0
    assert {handle.status for handle in handles} == {"compensating"}
    assert "Stuck at" not in run("explain", "e-1").stdout


def test_what_nobody_takes_up_leads_to_the_doctor(run, waiting, log, called):
    waiting("e-1")
    due = view_of(log).keys_of("e-1")[2]
    view_of(log).client.zadd(due, {"e-1": (view_of(log).client.time()[0] - 120) * 1000})
    shown = run("explain", "e-1").stdout
    assert "No worker has looked at it for 2m" in shown
    assert "celery -A shop saga doctor\n" in shown
