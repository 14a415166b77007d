"""Where an error was raised, in everything that shows it."""

import json
import re

import pytest

FRAME = r"tests/unit/cli/errands\.py:\d+ \w+"


@pytest.fixture
def handle(stuck):
    return stuck("e-1")[0]


def test_events_and_snapshot_have_the_frame_and_no_traceback(handle):
    errors = [each.details["error"] for each in handle.history() if "error" in each.details]
    assert errors
    for error in errors:
        assert re.fullmatch(FRAME, error["frame"])
        assert "traceback" not in error
    snapshot = handle.snapshot().steps["buy"].channels["primary"]
    assert re.fullmatch(FRAME, snapshot.undo_frame)
    assert snapshot.frame is None


@pytest.mark.parametrize("command", ["show", "explain", "history"])
def test_a_person_is_told_the_frame_beside_the_error(run, handle, command):
    assert re.search(
        rf"ConnectionError: the shop is closed \({FRAME}\)", run(command, "e-1").stdout
    )


def test_the_list_of_stuck_sagas_has_the_frame(run, handle):
    assert re.search(rf"the shop is closed \({FRAME}\)", run("stuck").stdout)
    (saga,) = json.loads(run("stuck", "--json").stdout)["sagas"]
    assert re.fullmatch(FRAME, saga["frame"])
    assert saga["error"] == "ConnectionError: the shop is closed"


def test_json_of_one_saga_has_the_frame_of_each_error(run, handle):
    saga = json.loads(run("show", "e-1", "--json").stdout)
    undo = next(
        each for step in saga["steps"] for each in step["records"] if each["record"] == "buy:undo"
    )
    assert re.fullmatch(FRAME, undo["frame"])
    assert re.fullmatch(FRAME, saga["frame"])


def test_with_the_setting_events_have_the_traceback_which_is_shown_if_asked_for(run, app, stuck):
    app.conf.amends_tracebacks = True
    (handle,) = stuck("e-1")
    stuck_event = next(each for each in handle.history() if each.name == "step.stuck")
    last = stuck_event.details["error"]
    assert last["traceback"].endswith("\nConnectionError: the shop is closed")
    assert 'File "tests/unit/cli/errands.py", line ' in last["traceback"]
    assert "File" not in run("history", "e-1").stdout
    shown = run("history", "e-1", "--tracebacks").stdout
    assert '  File "tests/unit/cli/errands.py", line ' in shown
    lines = [json.loads(line) for line in run("history", "e-1", "--json").stdout.splitlines()]
    assert any("traceback" in each["details"].get("error", {}) for each in lines)


def test_an_error_of_an_earlier_release_is_shown_as_it_was(run, moves):
    moves.be_stuck("v-1")
    assert "tell: Away: nobody answers at the bank\n" in run("show", "v-1").stdout
    assert json.loads(run("show", "v-1", "--json").stdout)["frame"] is None
    assert "nobody answers at the bank" in run("explain", "v-1").stdout
