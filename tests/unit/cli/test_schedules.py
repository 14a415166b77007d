"""The commands on schedules."""

import json

import pytest

from amends import Schedule
from amends.log.schedules.state import LEFT_AFTER
from amends.scheduling import definition
from amends.scheduling.firing import Firing
from tests.support.log_view import view_of
from tests.unit.cli.visit import Visit, visit_saga


@pytest.fixture(autouse=True)
def schedule(app, monkeypatch):
    monkeypatch.setattr(definition, "KNOWN", {})
    schedule = Schedule("hourly", visit_saga, every=3600, input=Visit(guest="ada"))
    Firing(app).run_once()
    return schedule


def test_each_schedule_is_listed_with_how_it_stands(run):
    shown = run("schedules")
    assert shown.exit_code == 0
    for said in ("hourly", "visit", "every 3600 s", "on"):
        assert said in shown.stdout
    (listed,) = json.loads(run("schedules", "--json").stdout)
    assert list(listed) == [
        *(
            "name",
            "app",
            "catch_up",
            "overlap",
            "saga",
            "when",
            "state",
            "next",
            "last",
            "last_due",
        ),
        *("last_status", "running", "paused_since", "by", "why", "error", "seen"),
        *("fired", "late", "skipped", "missed", "failed", "triggered"),
    ]
    assert listed["next"].endswith("00:00.000Z")


def test_none_is_said(run, log):
    view_of(log).client.flushall()
    assert "No worker has written a schedule" in run("schedules").stdout


def test_a_pause_and_a_resume_have_who_and_why(run):
    shown = run("schedule", "hourly", "pause", "--by", "ada", "--why", "audit")
    assert shown.exit_code == 0
    assert "by ada, because audit" in shown.stdout
    assert "paused" in run("schedules").stdout
    run("schedule", "hourly", "resume", "--by", "ada", "--why", "done")
    document = json.loads(run("schedule", "hourly", "--json").stdout)
    assert (document["state"], [each["name"] for each in document["events"]]) == (
        "on",
        ["schedule.defined", "schedule.paused", "schedule.resumed"],
    )


def test_a_trigger_starts_a_saga(run, schedule):
    shown = run("schedule", "hourly", "trigger", "--why", "now")
    assert f"started {schedule.state().last}" in shown.stdout
    assert visit_saga.get(schedule.state().last).status == "pending"


def test_a_backfill_starts_those_of_its_time(run):
    given = ("schedule", "hourly", "backfill", "2026-01-31T00:00+01:00", "2026-01-31T02:00+01:00")
    shown = run(*given, "--why", "an outage")
    assert shown.stdout.count("started hourly-202601") == 3
    assert json.loads(run("schedule", "hourly", "--json").stdout)["triggered"] == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["backfill"], "two times"),
        (["pause", "2026-01-31T00:00"], "nothing else takes any"),
        (["backfill", "yesterday", "today"], "is no time"),
        (["backfill", "2026-01-31", "2026-02-01"], "a time zone"),
        (["backfill", "2020-01-01T00:00Z", "2026-01-01T00:00Z"], "more than 1000 ticks"),
    ],
)
def test_wrong_usage_says_what_is_right(run, words, said):
    refused = run("schedule", "hourly", *words, "--why", "x")
    assert refused.exit_code == 2
    assert said in refused.output


def test_an_unknown_name_has_a_code_of_its_own(run):
    refused = run("schedule", "nightly")
    assert refused.exit_code == 3
    assert "there is no schedule 'nightly'" in refused.output


def test_what_is_not_imported_here_is_not_triggered(run):
    definition.KNOWN.clear()
    refused = run("schedule", "hourly", "trigger", "--why", "x")
    assert refused.exit_code == 2
    assert "imports no schedule 'hourly'" in refused.output


def test_one_that_no_worker_defines_is_forgotten(run, log):
    assert run("schedule", "hourly", "forget").exit_code == 4
    key = view_of(log).schedule_keys("hourly")[0]
    seen = int(view_of(log).client.hget(key, "seen"))
    view_of(log).client.hset(key, "seen", seen - round(LEFT_AFTER * 1000))
    assert "not defined" in run("schedules").stdout
    assert run("schedule", "hourly", "forget").exit_code == 0
    assert run("schedule", "hourly").exit_code == 3
