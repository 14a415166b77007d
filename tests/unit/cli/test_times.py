"""Where the time of a saga went, on the command line."""

import json
from dataclasses import replace

import click
import pytest

from amends.cli.step_tree import saga_lines
from amends.cli.times.documents import record_times_json, times_json
from amends.cli.times.text import StepTimes, times_lines, times_sentence
from amends.diagnosis.saga.times.segments import Cause, Segment, Times


def row(*parts):
    """Make segments that follow each other: cause, seconds, record and name of each."""
    at, made = 1_000.0, []
    for cause, seconds, record, name in parts:
        made.append(Segment(cause=cause, start=at, end=at + seconds, record=record, name=name))
        at += seconds
    return tuple(made)


def times(*parts, is_over=True):
    made = row(*parts)
    end = made[-1].end if made else 1_000.0
    return Times(start=1_000.0, end=end, is_over=is_over, segments=made, path=made)


SEVENTY = times(
    (Cause.CALL, 10.0, "pay", None),
    (Cause.CIRCUIT, 35.0, "ship", "shipping"),
    (Cause.QUEUE, 22.0, "tell", "notifications"),
    (Cause.CALL, 3.0, "tell", None),
)


def test_an_ended_saga_says_how_long_it_took_and_on_what_the_longest_first():
    assert times_sentence(SEVENTY) == (
        "It took 1m 10s: 35s for the circuit shipping, 22s in the queue notifications, 13s in calls."
    )


def test_one_that_runs_says_so():
    assert times_sentence(replace(SEVENTY, is_over=False)).startswith("So far 1m 10s: 35s for")


def test_lines_break_between_words():
    lines = times_lines(SEVENTY, width=40)
    assert max(map(len, lines)) <= 40
    assert " ".join(lines) == times_sentence(SEVENTY)


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_is_said(cause):
    told = times_sentence(times((cause, 5.0, None, None)))
    assert told.startswith("It took 5.0s: ")
    assert cause is Cause.FOLDED or told.count("5.0s") == 2


def test_what_was_folded_makes_the_others_the_least_that_they_can_be():
    found = times((Cause.RETRY, 5.0, "a", None), (Cause.FOLDED, 60.0, "a", None))
    assert times_sentence(found) == (
        "It took 1m 5s: 1m in events that its history keeps as one, at least 5.0s for retries."
    )


def test_many_causes_are_cut_and_what_is_left_is_added_up():
    found = times(*((Cause.QUEUE, 9.0 - n, "a", f"q{n}") for n in range(8)))
    assert times_sentence(found).endswith("4.0s in the queue q5, 5.0s on other things.")


def test_what_is_less_than_a_hundredth_is_added_up_too():
    found = times(
        (Cause.RETRY, 43.0, "a", None), (Cause.RELAY, 0.2, "a", None), (Cause.QUEUE, 0.3, "a", "q")
    )
    assert times_sentence(found) == "It took 44s: 43s for retries, 0.5s on other things."


def test_no_time_at_all_is_said():
    assert times_sentence(times()) == "It took 0.0s."


def test_a_step_took_what_its_calls_did_and_waited_the_rest():
    took, waited = StepTimes(SEVENTY).cells(["tell", "tell:undo"])
    assert (took, waited.text) == ("3.0s", "22s queue")
    took, waited = StepTimes(SEVENTY).cells(["ship"])
    assert (took, waited.text) == ("", "35s circuit")
    assert StepTimes(SEVENTY).cells(["pay"]) == ["10s"]
    assert StepTimes(SEVENTY).cells(["another"]) == []


def test_json_has_seconds():
    document = times_json(SEVENTY)
    assert (document["total"], document["explained"], document["is_over"]) == (70.0, 70.0, True)
    assert document["shares"][0] == {"cause": "circuit", "name": "shipping", "seconds": 35.0}
    assert len(document["path"]) == len(document["segments"]) == 4
    assert document["path"][0]["start"] == "1970-01-01T00:16:40.000Z"
    told = record_times_json(SEVENTY.by_record["tell"])
    assert (told["took"], told["waited"]) == (3.0, 22.0)


def test_explain_show_and_history_tell_it(run, waiting, log):
    waiting("e-1")
    log.claim_step("e-1", "buy", token="t", owner="", retries=0, process='"worker":"w@h","pid":7')
    explained = json.loads(run("explain", "e-1", "--json").stdout)
    assert explained["times"]["path"][-1]["worker"] == "w@h"
    assert "\n  So far 0" in run("explain", "e-1").stdout
    shown = json.loads(run("show", "e-1", "--json").stdout)
    assert set(shown["steps"][0]["records"][0]["times"]) == {"took", "waited", "shares"}
    assert shown["times"]["total"] >= 0.0
    assert "worker w@h, pid 7" in run("history", "e-1").stdout


def test_the_steps_fit_in_80_columns_whatever_each_waited_for(moves, log):
    moves.be_stuck("v-1")
    standing = log.examine_saga("v-1")
    parts = [(cause, 3_700.0, path, None) for path in ("room", "pay", "tell") for cause in Cause]
    lines = [click.unstyle(line) for line in saga_lines(standing, times(*parts), width=80)]
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("  1h 1m ") for line in lines)
