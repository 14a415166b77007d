"""``saga show`` and ``saga history``."""

import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from amends.cli import history as story
from amends.cli.following import looks as following
from amends.cli.formatting import moment
from amends.cli.json_documents import event_json
from amends.cli.output import Output
from amends.errors import LogUnavailable
from amends.log.history import Event
from tests.unit.cli.step_table import do_and_undo
from tests.unit.cli.visit import ERROR


def steps(text: str) -> list[list[str]]:
    """Cut the table of the steps into cells."""
    return [re.split(r"\s{2,}", line.strip()) for line in do_and_undo(text)]


def test_a_new_saga_is_shown_with_all_its_steps(run, moves):
    moves.start("v-1")
    shown = run("show", "v-1")
    assert shown.exit_code == 0
    assert shown.output.startswith("v-1  visit  pending\n")
    assert "stands at   room: pending" in shown.output
    assert re.search(r"deadline    in (10m|9m 5\ds)\n", shown.output)
    assert steps(shown.output) == [
        [">", "room", "pending", "-"],
        ["pay", "-"],
        ["tell", "has none"],
    ]


def test_a_stuck_saga_is_shown_with_do_and_undo_side_by_side(run, moves):
    moves.be_stuck("v-1")
    shown = run("show", "v-1")
    assert shown.exit_code == 1
    assert shown.output.startswith("v-1  visit  stuck\n")
    assert "reason      pay:fallback:undo failed for good" in shown.output
    assert "outcome     lost" in shown.output
    assert "turned by   Away: nobody answers at the bank" in shown.output
    assert "deadline" not in shown.output
    assert steps(shown.output) == [
        ["room", "done", "done"],
        ["pay", "unknown, 1 attempt", "done"],
        [">", "or its fallback", "done", "stuck, 1 attempt"],
        ["tell", "failed, 1 attempt", "has none"],
    ]
    assert "  pay:fallback:undo: Away: nobody answers at the bank\n" in shown.output
    assert shown.output.endswith("saga explain v-1\n")


def test_what_waits_says_when_it_goes_on(run, moves):
    moves.start("v-1")
    moves.put_off("v-1", "room", wait=120.0)
    shown = run("show", "v-1")
    assert re.search(r"room +again in (2m|1m \d+s), 1 attempt", shown.output)


def test_what_runs_says_for_how_long_and_until_when(run, moves):
    moves.start("v-1")
    moves.claim("v-1", "room")
    assert re.search(
        r"stands at   room: running for \S+, attempt 1, given up in (1m )?\d+s",
        run("show", "v-1").output,
    )


def test_on_the_way_back_what_is_still_to_be_undone_is_shown(run, moves):
    moves.start("v-1")
    moves.do("v-1", "room", "pay")
    moves.log.control.cancel_saga("v-1", error=ERROR, actor={})
    moves.log.control.pause_saga("v-1", actor={})
    shown = run("show", "v-1")
    assert shown.output.startswith("v-1  visit  compensating  paused\n")
    assert steps(shown.output)[:2] == [["room", "done", "pending"], [">", "pay", "done", "pending"]]


def test_what_is_private_is_shown_only_when_asked_for(run, moves):
    moves.start("v-1")
    moves.do("v-1", "room")
    for plain in (run("show", "v-1"), run("show", "v-1", "--json"), run("history", "v-1")):
        assert "ada" not in plain.output
        assert "secret" not in plain.output
    assert '"guest": "ada"' in run("show", "v-1", "--input").output
    assert "secret" not in run("show", "v-1", "--input").output
    assert '"ticket": "secret"' in run("show", "v-1", "--output").output
    document = json.loads(run("show", "v-1", "--input", "--output", "--json").output)
    assert document["input"] == {"guest": "ada"}
    assert document["outputs"] == {"room": {"ticket": "secret"}}


def test_json_has_stable_fields(run, moves):
    moves.be_stuck("v-1")
    document = json.loads(run("show", "v-1", "--json").output)
    assert list(document) == [
        "id",
        "saga",
        "status",
        "direction",
        "paused",
        "paused_since",
        "outcome",
        "reason",
        "error",
        "frame",
        "record",
        "created",
        "begins",
        "deadline",
        "ended",
        "now",
        "events",
        "steps",
        "times",
    ]
    assert (document["status"], document["record"]) == ("stuck", "pay:fallback:undo")
    assert document["events"] == len(moves.log.read_history("v-1"))
    pay = document["steps"][1]
    assert (pay["name"], pay["state"]) == ("pay", "stuck")
    assert [record["record"] for record in pay["records"]] == [
        "pay",
        "pay:undo",
        "pay:fallback",
        "pay:fallback:undo",
    ]
    assert list(pay["records"][3]) == [
        "record",
        "task",
        "state",
        "attempts",
        "wait",
        "running_for",
        "given_up_in",
        "owner",
        "error",
        "frame",
        "times",
    ]


def test_an_ended_saga_stands_nowhere(run, moves):
    moves.start("v-1")
    moves.do("v-1", "room", "pay", "tell")
    shown = run("show", "v-1")
    assert shown.exit_code == 0
    assert shown.output.startswith("v-1  visit  completed\n")
    assert "stands at" not in shown.output
    assert ">" not in shown.output


@pytest.mark.parametrize("name", ["show", "history"])
def test_an_unknown_saga_has_its_own_exit_code(run, name):
    shown = run(name, "v-1")
    assert (shown.exit_code, shown.stdout) == (3, "")
    assert shown.stderr.startswith("error: there is no saga 'v-1' in the log")


@pytest.mark.parametrize("typed", ["order-10", "order-1407", "order-104"])
def test_an_unknown_saga_is_answered_with_the_ids_that_may_be_meant(run, moves, typed):
    moves.start("order-1047", "visit-3")
    shown = run("show", typed)
    assert shown.exit_code == 3
    assert shown.stderr.endswith("the right one? Did you mean 'order-1047'?\n")


def test_history_has_a_line_for_each_event(run, moves):
    moves.be_stuck("v-1")
    events = moves.log.read_history("v-1")
    lines = run("history", "v-1").output.splitlines()
    assert lines[0].split() == ["at", "after", "event", "record", "details"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", lines[1])
    assert [line.split()[1] for line in lines[2:3]] == [events[0].name]
    assert [line.split()[2] for line in lines[3:]] == [event.name for event in events[1:]]
    assert any("error Away: nobody answers at the bank" in line for line in lines)


def test_history_as_json_has_a_line_for_each_event(run, moves):
    moves.be_stuck("v-1")
    lines = [json.loads(line) for line in run("history", "v-1", "--json").output.splitlines()]
    events = moves.log.read_history("v-1")
    after = [None, *(round(e.at - before.at, 3) for before, e in pairwise(events))]
    assert lines == [
        {
            "at": moment(e.at),
            "name": e.name,
            "record": e.record,
            "details": dict(e.details),
            "after": seconds,
        }
        for e, seconds in zip(events, after, strict=True)
    ]


@pytest.fixture
def go_on(moves, monkeypatch):
    """Let the saga take its next step whenever `follow` waits."""
    todo = ["room", "pay", "tell"]

    def step_on(seconds: float) -> None:
        if step := todo.pop(0):
            moves.do("v-1", step)

    monkeypatch.setattr(following, "sleep", step_on)
    return todo


def test_follow_tells_a_pipe_each_event_once_until_the_end(run, moves, go_on):
    moves.start("v-1")
    shown = run("show", "v-1", "--follow")
    assert shown.exit_code == 0
    assert [line.split()[2] for line in shown.output.splitlines()] == [
        event.name for event in moves.log.read_history("v-1")
    ]


def test_follow_as_json_has_a_document_for_each_change(run, moves, go_on):
    moves.start("v-1")
    lines = run("show", "v-1", "--follow", "--json").output.splitlines()
    assert [json.loads(line)["record"] for line in lines] == ["room", "pay", "tell", None]


def test_follow_shows_a_terminal_the_saga_anew(run, moves, go_on, monkeypatch):
    monkeypatch.setattr(Output, "is_terminal", property(lambda self: True))
    moves.start("v-1")
    shown = run("show", "v-1", "--follow")
    assert shown.output.count("v-1  visit  ") == 4
    assert "completed" in shown.output


def test_follow_stops_where_a_person_is_needed(run, moves):
    moves.be_stuck("v-1")
    assert run("show", "v-1", "--follow").exit_code == 1


def test_follow_ends_at_an_interrupt_without_a_traceback(run, moves, monkeypatch):
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    moves.start("v-1")
    monkeypatch.setattr(following, "sleep", interrupt)
    shown = run("show", "v-1", "--follow")
    assert (shown.exit_code, shown.stderr) == (130, "")


@pytest.fixture
def outages(moves, monkeypatch):
    """Let looks fail: a list of the errors of the next ones, None for one that finds the saga."""
    errors = []
    look = type(moves.log).examine_saga

    def examine_saga(log, saga_id):
        error = errors.pop(0) if errors else None
        if error:
            raise error
        return look(log, saga_id)

    monkeypatch.setattr(type(moves.log), "examine_saga", examine_saga)
    return errors


def test_follow_waits_for_a_log_that_goes_away_and_says_so_once(run, moves, go_on, outages):
    moves.start("v-1")
    away = LogUnavailable("the saga log does not answer")
    outages += [None, away, None, away, None, None]
    go_on[:] = ["room", "", "pay", "", "tell"]
    shown = run("show", "v-1", "--follow")
    assert shown.exit_code == 0
    assert [line.split()[2] for line in shown.stdout.splitlines()] == [
        event.name for event in moves.log.read_history("v-1")
    ]
    told = shown.stderr.splitlines()
    assert [line.split(" ")[0] for line in told] == ["Lost", "The", "Lost", "The"]
    assert "the saga log does not answer. Waiting for it" in told[0]
    assert re.fullmatch(r"The saga log answers again, after [\d.]+s\.", told[1])


def test_many_looks_in_vain_are_told_as_one_outage(run, moves, go_on, outages):
    moves.start("v-1")
    outages += [None, *[LogUnavailable("it is away")] * 50]
    go_on[:] = ["room", *[""] * 50, "pay", "tell"]
    shown = run("show", "v-1", "--follow")
    assert (shown.exit_code, len(shown.stderr.splitlines())) == (0, 2)


def test_an_interrupt_ends_the_wait_for_the_log(run, moves, monkeypatch, outages):
    moves.start("v-1")
    outages += [None, *[LogUnavailable("it is away")] * 3]

    def interrupt(seconds: float) -> None:
        if len(outages) < 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(following, "sleep", interrupt)
    assert run("show", "v-1", "--follow").exit_code == 130


def test_a_log_that_is_away_at_first_is_not_waited_for(run, moves, outages):
    moves.start("v-1")
    outages += [LogUnavailable("it is away")]
    shown = run("show", "v-1", "--follow")
    assert (shown.exit_code, shown.stderr) == (5, "error: it is away\n")


FOLDED = Event(
    name="step.retrying",
    record="pay",
    at=1_700_000_100.0,
    details={"wait": 5000},
    count=1990,
    first_at=1_700_000_000.0,
)


def test_an_event_that_stands_for_many_says_how_many_and_since_when():
    row = [cell.text for cell in story.event_row(FOLDED)]
    assert row[3] == "1,990 times since 2023-11-14 22:13:20.000, the last: wait 5s"
    told = event_json(FOLDED)
    assert (told["count"], told["first_at"]) == (1990, moment(1_700_000_000.0))
    assert "count" not in event_json(replace(FOLDED, count=1, first_at=None))


def test_news_of_a_saga_are_what_was_added_and_what_stands_for_more():
    started = Event(name="saga.started", at=1.0)
    more, ended = replace(FOLDED, count=1991), Event(name="saga.finished", at=2.0)
    assert story.news_since([started, FOLDED], [started, more, ended]) == [more, ended]
    assert story.news_since([], [started]) == [started]
    assert story.news_since([started], [started]) == []
