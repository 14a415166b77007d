"""``saga list`` and ``saga stuck``."""

import json
from functools import partial

from amends.log.queries.listing import find_sagas
from tests.unit.cli.visit import ERROR

FIELDS = [
    "id",
    "saga",
    "status",
    "paused",
    "outcome",
    "reason",
    "step",
    "record",
    "state",
    "attempts",
    "wait",
    "wanted",
    "signals",
    "error",
    "frame",
    "age",
    "since",
    "created",
    "events",
    "parent",
    "parent_step",
    "child",
]


def rows(text: str) -> list[list[str]]:
    """Cut a table into words, without its heading."""
    return [line.split() for line in text.splitlines()[1:]]


def ids(shown) -> list[str]:
    assert shown.exit_code in (0, 1), shown.output
    return [saga["id"] for saga in json.loads(shown.output)["sagas"]]


def test_list_has_a_line_for_each_saga_those_first_that_moved_last(run, moves):
    moves.start("v-1", "v-2")
    moves.be_stuck("v-3")
    moves.do("v-1", "room")
    shown = run("list")
    assert shown.exit_code == 0
    assert [row[:3] for row in rows(shown.output)] == [
        ["v-1", "visit", "running"],
        ["v-3", "visit", "stuck"],
        ["v-2", "visit", "pending"],
    ]
    assert rows(shown.output)[1][4:] == [
        "pay:fallback:undo",
        "1",
        "Away:",
        "nobody",
        "answers",
        "at",
        "the",
        "bank",
    ]


def test_list_takes_the_oldest_first(run, moves):
    moves.start("v-1")
    moves.be_stuck("v-2")
    assert ids(run("list", "--json", "--oldest-first")) == ["v-1", "v-2"]
    assert ids(run("list", "--json")) == ["v-2", "v-1"]


def test_list_filters(run, moves):
    moves.start("v-1", "v-2", "w-1")
    moves.be_stuck("v-3")
    moves.log.control.cancel_saga("v-2", error=ERROR, actor={})
    moves.log.control.pause_saga("w-1", actor={})

    def found(*options: str) -> list[str]:
        return sorted(ids(run("list", "--json", *options)))

    assert found("--status", "stuck") == ["v-3"]
    assert found("--status", "stuck", "--status", "compensated") == ["v-2", "v-3"]
    assert found("--saga", "visit") == ["v-1", "v-2", "v-3", "w-1"]
    assert found("--saga", "other") == []
    assert found("--step", "pay") == ["v-3"]
    assert found("--step", "room") == ["v-1", "w-1"]
    assert found("--outcome", "cancelled") == ["v-2"]
    assert found("--paused") == ["w-1"]
    assert found("--not-paused") == ["v-1", "v-2", "v-3"]
    assert found("--id", "v-*") == ["v-1", "v-2", "v-3"]
    assert found("--id", "v-1") == ["v-1"]
    assert found("--older-than", "10m") == []
    assert found("--older-than", "0s") == ["v-1", "v-2", "v-3", "w-1"]


def test_list_goes_on_where_the_page_before_says(run, moves):
    moves.start("v-1", "v-2", "v-3")
    page = json.loads(run("list", "--json", "--limit", "2").output)
    rest = json.loads(run("list", "--json", "--limit", "2", "--after", page["after"]).output)
    listed = [saga["id"] for saga in page["sagas"] + rest["sagas"]]
    assert sorted(listed) == ["v-1", "v-2", "v-3"]
    assert rest["after"] is None
    assert run("list", "--limit", "2").output.splitlines()[-1].startswith("Go on with --after ")


def test_a_wrong_place_is_a_wrong_usage(run):
    shown = run("list", "--after", "nowhere")
    assert shown.exit_code == 2
    assert "take it from the page before" in shown.stderr


def test_list_of_nothing_says_so(run, waiting):
    waiting("e-1")
    shown = run("list", "--status", "stuck")
    assert (shown.exit_code, shown.output) == (0, "No saga fits.\n")
    assert json.loads(run("list", "--status", "stuck", "--json").output) == {
        "sagas": [],
        "after": None,
        "looked_at": 0,
        "is_cut": False,
    }


def test_json_has_stable_fields(run, moves):
    moves.be_stuck("v-1")
    document = json.loads(run("list", "--json").output)
    assert list(document) == ["sagas", "after", "looked_at", "is_cut"]
    assert list(document["sagas"][0]) == FIELDS


def test_a_page_that_ended_early_says_so(run, moves, monkeypatch):
    early = partial(find_sagas, most_looked_at=2)
    monkeypatch.setattr("amends.cli.filters.find_sagas", early)
    moves.start("v-1", "v-2", "v-3")
    shown = run("list", "--outcome", "nowhere")
    assert "No saga that was looked at fits.\nLooked at 2 sagas, and stopped.\n" in shown.output
    assert "Go on with --after " in shown.output
    assert shown.exit_code == 1


def test_stuck_lists_what_needs_a_person_the_oldest_first(run, moves):
    moves.start("v-1")
    moves.be_stuck("v-3")
    moves.be_stuck("v-2")
    shown = run("stuck", "--limit", "2")
    assert shown.exit_code == 1
    listed = shown.stdout[shown.stdout.index("id ") :]
    assert [row[0] for row in rows(listed)[:-1]] == ["v-3", "v-2"]
    assert rows(listed)[-1][-2:] == ["explain", "v-3"]
    assert rows(listed)[0][3:] == [
        "pay:fallback:undo",
        "1",
        "Away:",
        "nobody",
        "answers",
        "at",
        "the",
        "bank",
    ]


def test_stuck_says_why_a_saga_is_parked(run, moves):
    moves.start("v-1")
    moves.log.note_unregistered("v-1", "room", task="visit.book_room", most=1)
    assert "no worker knows the task visit.book_room" in run("stuck").output


def test_without_a_stuck_saga_it_says_so_and_a_script_learns_it_too(run, moves, at_work):
    moves.start("v-1")
    shown = run("stuck")
    assert (shown.exit_code, shown.output) == (0, "No saga is stuck.\n")
    moves.be_stuck("v-2")
    shown = run("stuck", "--step", "room")
    assert (shown.exit_code, shown.output) == (0, "No saga that fits is stuck.\n")
    assert ids(run("stuck", "--json", "--step", "pay")) == ["v-2"]


def test_states_have_colours(run, moves, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    moves.be_stuck("v-1")
    assert "\x1b[31m\x1b[1mstuck" in run("list", color=True).output
    assert "\x1b" not in run("list", color=True, no_color=True).output
    assert "\x1b" not in run("list", "--no-color", color=True).output


def test_an_app_without_a_log_says_what_to_set(run, app):
    app.conf.amends_backend = None
    shown = run("list")
    assert shown.exit_code == 5
    assert "set it to the Redis URL of the saga log" in shown.stderr
