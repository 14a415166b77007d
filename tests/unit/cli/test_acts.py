"""Acting on sagas from the command line, one or many."""

import getpass
import json
import re

import pytest

from amends.cli import acts
from amends.cli.output import Output
from demo.ports import free_port
from tests.support.log_view import lost_answers
from tests.unit.cli.errands import begin

WHY = ("--why", "the bank is back")


def acted(handle):
    return [
        (e.name, e.details["by"], e.details["why"]) for e in handle.history() if e.details.get("by")
    ]


@pytest.fixture(autouse=True)
def _login(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "cora")


def test_one_saga_is_retried_and_its_history_says_by_whom_and_why(run, stuck):
    (handle,) = stuck("e-1")
    shown = run("retry", "e-1", *WHY)
    assert (shown.exit_code, shown.stdout) == (0, "e-1: done. It is compensating now.\n")
    assert acted(handle) == [("saga.retried", "cora", "the bank is back")]


def test_who_does_it_can_be_named(run, stuck):
    (handle,) = stuck("e-1")
    run("retry", "e-1", *WHY, "--by", "ada")
    assert acted(handle) == [("saga.retried", "ada", "the bank is back")]


@pytest.mark.parametrize("why", [(), ("--why", " ")])
def test_without_a_reason_nothing_is_done_where_nobody_can_be_asked(run, stuck, why):
    (handle,) = stuck("e-1")
    shown = run("retry", "e-1", *why)
    assert shown.exit_code == 2
    assert "--why" in shown.stderr
    assert handle.status == "stuck"


def test_a_person_is_shown_the_saga_and_asked_for_the_reason(run, stuck, someone):
    (handle,) = stuck("e-1")
    shown = run("retry", "e-1", input="I called them\n")
    assert shown.exit_code == 0
    assert "the shop is closed" in shown.stderr
    assert "Why?" in shown.stderr
    assert acted(handle) == [("saga.retried", "cora", "I called them")]


def test_what_moves_while_the_person_types_is_refused(run, stuck, someone, monkeypatch):
    (handle,) = stuck("e-1")

    def type_slowly(_):
        handle.retry(by="bob", why="me first")
        return "the bank is back"

    monkeypatch.setattr(acts, "reason_of", type_slowly)
    shown = run("retry", "e-1")
    assert shown.exit_code == 4
    assert "it has moved on since you looked, and is compensating now" in shown.stderr
    assert [by for _, by, _ in acted(handle)] == ["bob"]


def test_a_script_that_names_a_saga_acts_on_it_as_it_is(run, waiting, monkeypatch):
    (handle,) = waiting("e-1")
    name_of = acts.name_of
    monkeypatch.setattr(acts, "name_of", lambda by: handle.pause() or name_of(by))
    assert run("cancel", "e-1", *WHY).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("retry", "e-2"), 4, "e-2: refused: it is completed"),
        (("cancel", "e-1"), 4, "e-1: refused: it is stuck"),
        (("retry", "e-3"), 3, "e-3: unknown: there is no such saga"),
        (("skip", "e-1", "bye"), 4, "e-1: refused: it has no step bye"),
        (("retry", "e-1", "--seen", "3"), 4, "moved on since you looked"),
    ],
)
def test_what_is_not_done_says_why_and_has_a_code(run, app, stuck, arguments, code, said):
    stuck("e-1")
    app.conf.task_always_eager = True
    begin("e-2")
    shown = run(*arguments, *WHY)
    assert (shown.exit_code, shown.stdout) == (code, "")
    assert said in shown.stderr


def test_a_saga_as_it_was_explained_can_be_acted_on(run, stuck):
    (handle,) = stuck("e-1")
    assert run("retry", "e-1", *WHY, "--seen", str(len(handle.history()))).exit_code == 0


def test_one_refused_among_done_is_told_and_the_code_is_1(run, stuck):
    handles = stuck("e-1", "e-2", "e-3")
    handles[1].skip("buy")
    shown = run("retry", "e-1", "e-2", "e-3", *WHY)
    assert shown.exit_code == 1
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert lines[1:] == [
        ["e-1", "done", "compensating"],
        ["e-2", "refused", "compensated", "it", "is", "compensated"],
        ["e-3", "done", "compensating"],
        ["2", "done,", "1", "refused"],
    ]


def test_many_are_told_as_json(run, stuck):
    stuck("e-1")
    shown = run("retry", "e-1", "e-2", *WHY, "--by", "ada", "--json")
    assert shown.exit_code == 1
    document = json.loads(shown.stdout)
    assert (document["act"], document["by"], document["why"]) == ("retry", "ada", WHY[1])
    assert document["results"] == [
        {
            "id": "e-1",
            "result": "done",
            "reason": None,
            "published": True,
            "status": "compensating",
        },
        {
            "id": "e-2",
            "result": "unknown",
            "reason": "there is no such saga",
            "published": True,
            "status": None,
        },
    ]


def test_ids_come_on_standard_input_each_once(run, stuck):
    handles = stuck("e-1", "e-2")
    shown = run("retry", "-", *WHY, input="e-1\ne-2\ne-1\n")
    assert shown.exit_code == 0
    assert [len(acted(handle)) for handle in handles] == [1, 1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "retry which sagas?"),
        (("e-1", "--saga", "errand"), "not both"),
        (("e-1", "e-2", "--seen", "3"), "--seen is for one saga"),
        (("--saga", "errand", "--seen", "3"), "--seen is for one saga"),
        (("--saga", "errand"), "2 sagas fit; --yes acts on them"),
    ],
)
def test_a_wrong_usage_does_nothing(run, stuck, arguments, said):
    handles = stuck("e-1", "e-2")
    shown = run("retry", *arguments, *WHY)
    assert shown.exit_code == 2
    assert said in shown.stderr
    assert {handle.status for handle in handles} == {"stuck"}


def test_a_filter_means_what_an_act_is_for_if_it_names_no_status(run, stuck, waiting):
    handles = stuck("e-1", "e-2")
    (another,) = waiting("e-3")
    assert run("retry", "--saga", "errand", "--yes", *WHY).exit_code == 0
    assert {handle.status for handle in handles} == {"compensating"}
    assert acted(another) == []


def test_a_filter_without_a_fit_says_so(run, stuck):
    stuck("e-1")
    shown = run("retry", "--saga", "order", "--yes", *WHY)
    assert (shown.exit_code, shown.stdout) == (0, "No saga fits.\n")


def test_a_filter_takes_so_many_and_says_that_there_are_more(run, stuck, someone):
    handles = stuck("e-1", "e-2", "e-3")
    shown = run("retry", "--saga", "errand", "--limit", "2", *WHY, input="y\n")
    assert shown.exit_code == 1
    assert "3 fit: these are the first 2. --all acts on all." in shown.stderr
    assert "Retry these 2 sagas?" in shown.stderr
    assert "1 more fit. To act on all of them:" in shown.stderr
    assert [handle.status for handle in handles].count("stuck") == 1


def test_who_says_no_has_done_nothing(run, stuck, someone):
    handles = stuck("e-1", "e-2")
    assert run("retry", "--saga", "errand", *WHY, input="n\n").exit_code == 1
    assert {handle.status for handle in handles} == {"stuck"}


def test_a_dry_run_lists_and_does_nothing(run, stuck):
    handles = stuck("e-1", "e-2")
    shown = run("retry", "--saga", "errand", "--dry-run")
    assert shown.exit_code == 0
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["id", "e-1", "e-2"]
    document = json.loads(run("retry", "--saga", "errand", "--dry-run", "--json").stdout)
    assert [each["id"] for each in document["sagas"]] == ["e-1", "e-2"]
    assert document["has_more"] is False
    assert {handle.status for handle in handles} == {"stuck"}


def test_of_what_a_filter_found_one_that_moved_meanwhile_is_left_alone(run, stuck, monkeypatch):
    first, second = stuck("e-1", "e-2")
    name_of = acts.name_of
    monkeypatch.setattr(acts, "name_of", lambda by: first.retry(by="bob", why="x") or name_of(by))
    shown = run("retry", "--saga", "errand", "--yes", *WHY)
    assert shown.exit_code == 1
    assert [by for _, by, _ in acted(first)] == ["bob"]
    assert acted(second)


def test_what_runs_may_go_on_running_before_it_is_paused_by_a_filter(
    run, log, waiting, monkeypatch
):
    (handle,) = waiting("e-1")
    log.claim_step("e-1", "buy", token="t", owner="", retries=0)
    name_of = acts.name_of

    def move(by):
        log.complete_step("e-1", "buy", token="t", output='{"receipt":"r"}', link="deliver")
        return name_of(by)

    monkeypatch.setattr(acts, "name_of", move)
    assert run("pause", "--saga", "errand", "--yes", *WHY).exit_code == 0
    assert handle.snapshot().paused


def test_what_a_filter_found_at_a_step_has_to_stand_there_still(run, log, waiting, monkeypatch):
    waiting("e-1")
    log.claim_step("e-1", "buy", token="t", owner="", retries=0)
    name_of = acts.name_of

    def move(by):
        log.complete_step("e-1", "buy", token="t", output='{"receipt":"r"}', link="deliver")
        return name_of(by)

    monkeypatch.setattr(acts, "name_of", move)
    shown = run("cancel", "--step", "buy", "--yes", *WHY)
    assert shown.exit_code == 4
    assert "moved on since you looked, and is running now" in shown.stderr


def test_pausing_and_resuming_by_a_filter_mean_those_that_are_not_and_those_that_are(run, waiting):
    first, second = waiting("e-1", "e-2")
    first.pause()
    shown = run("pause", "--saga", "errand", "--yes", *WHY)
    assert shown.stdout == "e-2: done. It is pending, paused now.\n"
    assert run("resume", "--id", "e-*", "--yes", *WHY).exit_code == 0
    assert not first.snapshot().paused
    assert not second.snapshot().paused


def test_a_stuck_undo_is_skipped_by_its_step(run, stuck):
    (handle,) = stuck("e-1")
    assert run("skip", "e-1", "buy", *WHY).exit_code == 0
    assert handle.status == "compensated"


def test_skipping_by_a_filter_means_those_that_are_stuck_at_that_step(run, stuck, waiting):
    handles = stuck("e-1", "e-2")
    waiting("e-3")
    assert run("skip", "buy", "--saga", "errand", "--yes", *WHY).exit_code == 0
    assert {handle.status for handle in handles} == {"compensated"}


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ((), 4, "buy needs its output, a Goods"),
        (("--output", '{"receipt": 5}'), 4, "the output does not fit: receipt: Input should be"),
        (("--output", "{receipt"), 2, "it is no JSON"),
    ],
)
def test_a_step_is_skipped_only_with_an_output_that_fits(run, waiting, given, code, said):
    (handle,) = waiting("e-1")
    shown = run("skip", "e-1", "buy", *given, *WHY)
    assert shown.exit_code == code
    assert said in shown.stderr
    assert handle.snapshot().steps["buy"].state == "pending"


def test_a_step_is_skipped_with_what_was_done_by_hand(run, waiting):
    (handle,) = waiting("e-1")
    assert run("skip", "e-1", "buy", "--output", '{"receipt": "by hand"}', *WHY).exit_code == 0
    assert handle.snapshot().steps["buy"].state == "skipped"


def test_a_broker_that_is_away_is_a_warning_for_the_act_is_in_the_log(run, stuck, app):
    handles = stuck("e-1", "e-2")
    app.conf.broker_url = f"redis://127.0.0.1:{free_port()}/0"
    shown = run("retry", "e-1", "e-2", *WHY)
    assert shown.exit_code == 0
    assert (
        "The broker is away: 2 of them go on when a worker's sweep comes to them." in shown.stderr
    )
    assert {handle.status for handle in handles} == {"compensating"}


def test_a_log_that_is_away_is_its_own_code(run, app):
    app.conf.amends_backend = f"redis://127.0.0.1:{free_port()}/0"
    shown = run("retry", "e-1", *WHY)
    assert shown.exit_code == 5
    assert "amends_backend cannot be reached" in shown.stderr


def test_an_act_that_the_log_did_not_answer_is_repeated_under_its_id(run, waiting, log):
    (handle,) = waiting("e-1")
    with lost_answers(log, "cancel_saga", times=2):
        shown = run("cancel", "e-1", *WHY)
    assert shown.exit_code == 5
    (act_id,) = re.findall(
        r"To go on, and do nothing twice:\n    \w.* saga cancel e-1 --act-id (\w+) ", shown.stderr
    )
    assert run("cancel", "e-1", *WHY).exit_code == 4
    assert run("cancel", "e-1", *WHY, "--act-id", act_id).exit_code == 0
    assert [event.name for event in handle.history()].count("saga.cancelled") == 1


def test_a_terminal_of_any_width_is_told_the_id_of_an_act_on_many(run, waiting, log, monkeypatch):
    waiting("e-1", "e-2")
    monkeypatch.setattr(Output, "width", 80)
    with lost_answers(log, "cancel_saga", times=2):
        shown = run("cancel", "e-1", "e-2", *WHY)
    assert shown.exit_code == 5
    (act_id,) = re.findall(r"cancel e-1 e-2 --act-id (\w+) ", shown.stderr)
    assert run("cancel", "e-1", "e-2", *WHY, "--act-id", act_id).exit_code == 0


@pytest.mark.parametrize("act", [("cancel", "e-1"), ("skip", "e-1", "deliver")])
def test_an_id_that_no_act_can_have_is_a_wrong_usage(run, waiting, act):
    waiting("e-1")
    shown = run(*act, *WHY, "--act-id", "a b")
    assert shown.exit_code == 2
    assert "--act-id" in shown.stderr
