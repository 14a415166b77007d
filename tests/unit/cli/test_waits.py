"""Sagas that wait, on the command line: giving them signals, and what they wait for."""

import getpass
import json
import re
import shlex

import pytest
from pydantic import AwareDatetime, BaseModel

from amends import Delay, Parallel, Saga, Step, Wait
from amends.cli.exit_codes import Exit
from tests.support.log_view import lost_answers
from tests.unit.cli.errands import buy, deliver, give_back

DAY = 86400.0


class Order(BaseModel):
    errand_id: str
    address: str = "1 Long Lane"
    deliver_at: AwareDatetime | None = None


class Consent(BaseModel):
    granted: bool
    note: str = ""


class Result(BaseModel):
    outcome: str


BUY = Step(buy, compensation=give_back)
DELIVER = Step(deliver, compensation=None)


def saga_of(name, *steps):
    return Saga(name, input=Order, output=Result, search={"address": "input.address"}, steps=steps)


consent = Wait("consent", Consent, timeout=DAY, outcome="not_allowed")
asked = saga_of("asked", BUY, consent, DELIVER)
voted = saga_of("voted", BUY, Wait("vote", Consent, count=3), DELIVER)
soft = saga_of("soft", BUY, Wait("answer", Consent, timeout=DAY, on_timeout="continue"), DELIVER)
late = saga_of("late", Step(buy, pivot=True), consent, DELIVER)
delayed = saga_of("delayed", BUY, Delay(3600.0), DELIVER)
branches = saga_of(
    "branches", BUY, Parallel([consent, DELIVER], [Wait("vote", Consent, count=2), Delay(DAY)])
)


@pytest.fixture
def begin(app):
    """Give `begin(saga, "o-1")`: a saga that has come to its wait."""

    def begin(saga, saga_id="o-1", **given):
        app.set_current()
        app.conf.task_always_eager = saga is not delayed
        handle = saga.start(Order(errand_id=saga_id, **given), saga_id=saga_id)
        app.conf.task_always_eager = False
        return handle

    return begin


def give(run, *arguments, data='{"granted": true}', **how):
    return run("signal", *arguments, "--data", data, **how)


class TestSignal:
    def test_one_that_ends_its_wait_is_taken(self, run, begin):
        handle = begin(asked)
        shown = give(run, "o-1", "consent", "--by", "ada")
        assert (shown.exit_code, shown.stdout) == (0, "o-1: taken. It is running now.\n")
        assert handle.snapshot().steps["consent"].state == "done"
        assert handle.history()[-2].details["by"] == "ada"

    def test_one_of_several_is_counted(self, run, begin):
        begin(voted)
        assert "o-1: counted, 1 of 3." in give(run, "o-1", "vote", "--by", "ada").stdout
        assert "o-1: counted, 2 of 3." in give(run, "o-1", "vote", "--by", "bob").stdout
        assert "o-1: taken." in give(run, "o-1", "vote", "--by", "cem").stdout

    def test_the_same_giver_counts_once_and_that_is_who_is_logged_in(self, run, begin, monkeypatch):
        monkeypatch.setattr(getpass, "getuser", lambda: "cora")
        begin(voted)
        give(run, "o-1", "vote")
        shown = give(run, "o-1", "vote")
        assert shown.exit_code == Exit.REFUSED
        assert "cora has given it, and each counts once" in shown.stderr

    def test_an_early_one_is_kept(self, run, app):
        app.set_current()
        asked.start(Order(errand_id="o-1"), saga_id="o-1")
        shown = give(run, "o-1", "consent")
        assert shown.stdout == "o-1: kept, 1 of 1. It is pending now.\n"

    def test_the_same_id_is_one_signal_with_the_first_answer(self, run, begin):
        begin(voted)
        for _ in range(2):
            shown = give(run, "o-1", "vote", "--id", "click-81", "--json")
            (result,) = json.loads(shown.stdout)["results"]
            assert (result["signal"], result["signals"], result["wanted"]) == ("counted", 1, 3)

    def test_as_json_it_has_who_gave_it_and_no_reason(self, run, begin):
        begin(asked)
        shown = give(run, "o-1", "consent", "--by", "ada", "--id", "click-81", "--json")
        document = json.loads(shown.stdout)
        assert document.pop("results")[0] == {
            "id": "o-1",
            "result": "done",
            "reason": None,
            "published": True,
            "status": "running",
            "signal": "taken",
            "signals": None,
            "wanted": None,
        }
        assert document == {"act": "signal", "by": "ada", "act_id": "click-81"}

    @pytest.mark.parametrize(
        ("name", "data", "why"),
        [
            ("consnt", "{}", "it waits for no consnt, did you mean 'consent'?"),
            ("buy", "{}", "buy is a step, and takes no signal"),
            ("consent", "{}", "the signal does not fit: granted: Field required"),
            ("consent", "[]", "the signal does not fit: Input should be a valid dictionary"),
        ],
    )
    def test_a_wrong_one_is_refused_with_a_sentence(self, run, begin, name, data, why):
        begin(asked)
        shown = give(run, "o-1", name, data=data)
        assert shown.exit_code == Exit.REFUSED
        assert f"o-1: refused: {why}" in shown.stderr

    def test_a_delay_takes_none(self, run, begin):
        begin(delayed)
        assert "delay waits for a time, and takes no signal" in give(run, "o-1", "delay").stderr

    def test_an_unknown_saga_has_its_exit_code(self, run):
        assert give(run, "o-1", "consent").exit_code == Exit.UNKNOWN

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            (("consent",), "signal which sagas? Name them before the wait, or give an option"),
            (("o-1", "consent", "--id", "a b"), "none of them a blank"),
            (("o-1", "consent", "--data", "{granted}"), "it is no JSON"),
        ],
    )
    def test_a_wrong_usage_gives_none(self, run, begin, arguments, why):
        handle = begin(asked)
        shown = run("signal", *arguments)
        assert shown.exit_code == 2
        assert why in shown.stderr
        assert handle.snapshot().steps["consent"].state == "waiting"

    def test_a_filter_means_those_that_stand_at_the_wait(self, run, begin):
        begin(asked, "o-1", address="here")
        begin(asked, "o-2", address="there")
        begin(voted, "o-3", address="here")
        shown = give(run, "consent", "--where", "address=here", "--yes", "--json")
        assert [each["id"] for each in json.loads(shown.stdout)["results"]] == ["o-1"]

    @pytest.mark.parametrize("ids", [("o-1",), ("o-1", "o-2")], ids=["one", "many"])
    def test_one_that_the_log_did_not_answer_is_repeated_under_its_id(self, run, begin, log, ids):
        handles = [begin(voted, each) for each in ids]
        with lost_answers(log, "signal_saga", times=2):
            shown = give(run, *ids, "vote")
        assert shown.exit_code == Exit.UNAVAILABLE
        (signal_id,) = re.findall(r"--id (\w+)", shown.stderr)
        assert give(run, *ids, "vote", "--id", signal_id).exit_code == 0
        for handle in handles:
            assert [event.name for event in handle.history()].count("step.signalled") == 1

    def test_ids_may_come_on_standard_input(self, run, begin):
        handles = [begin(asked, each) for each in ("o-1", "o-2")]
        give(run, "-", "consent", input="o-1 o-2\n")
        assert {each.snapshot().steps["consent"].state for each in handles} == {"done"}

    def test_many_have_a_row_each(self, run, begin):
        begin(voted, "o-1")
        begin(voted, "o-2").signal("vote", Consent(granted=True), by="ada")
        shown = give(run, "o-1", "o-2", "vote", "--by", "bob")
        assert [re.split(r"\s{2,}", row) for row in shown.stdout.splitlines()[1:]] == [
            ["o-1", "counted, 1 of 3", "running"],
            ["o-2", "counted, 2 of 3", "running"],
            ["2 done"],
        ]


def facts(text):
    found = re.findall(r"^  (\w[\w ]*?)  +(\S.*)$", text.split("\n\n")[0], re.MULTILINE)
    return dict(found)


def without_times(text):
    return re.sub(
        r"2\d{3}-[\d-]+[ T][\d:.]+Z",
        "THEN",
        re.sub(r"\d+[dhm]( \d+[hms])?(?= left|\b)", "SOON", text),
    )


class TestShow:
    def test_it_says_what_a_saga_waits_for_until_when_and_what_comes_then(self, run, begin):
        begin(asked)
        told = facts(without_times(run("show", "o-1").stdout))
        assert told["stands at"] == "consent: waiting, SOON left"
        assert told["waits for"] == "its signal"
        assert told["until"] == "THEN, in SOON"
        assert told["then"] == "it turns back as not_allowed"

    def test_how_many_signals_came(self, run, begin):
        begin(voted).signal("vote", Consent(granted=True))
        told = facts(run("show", "o-1").stdout)
        assert told["stands at"] == "vote: waiting, 1 of 3 signals"
        assert told["waits for"] == "3 signals, and has 1"
        assert "until" not in told

    @pytest.mark.parametrize(
        ("saga", "then"),
        [(soft, "it goes on without"), (late, "it is stuck")],
        ids=["soft", "late"],
    )
    def test_what_comes_then_is_what_its_definition_says(self, run, begin, saga, then):
        begin(saga)
        assert facts(run("show", "o-1").stdout)["then"] == then

    def test_no_line_is_long(self, run, begin):
        begin(branches)
        lines = run("show", "o-1").stdout.splitlines()
        assert max(map(len, lines)) <= 80
        assert any("+ vote" in line and "waiting, 0 of 2 signals" in line for line in lines)

    def test_as_json_the_record_has_what_it_waits_for(self, run, begin):
        begin(asked)
        document = json.loads(run("show", "o-1", "--json").stdout)
        (record,) = document["steps"][1]["records"]
        assert record["state"] == "waiting"
        assert 0 < record["wait"] <= DAY
        assert record["waits_for"].pop("ends_at").endswith("Z")
        assert record["waits_for"] == {
            "wanted": 1,
            "signals": 0,
            "on_timeout": "compensate",
            "outcome": "not_allowed",
        }

    def test_its_history_tells_the_time_and_the_givers(self, run, begin):
        begin(asked).signal("consent", Consent(granted=True), id="click-81", by="ada")
        told = run("history", "o-1").stdout
        assert re.search(r"step.waiting +consent +until 2\d{3}-\d\d-\d\dT[\d:.]+Z\n", told)
        assert re.search(r"step.signalled +consent +by ada, signal click-81\n", told)


class TestLists:
    def test_a_list_says_how_far_a_wait_is(self, run, begin):
        begin(asked, "o-1")
        begin(voted, "o-2").signal("vote", Consent(granted=True))
        rows = run("list").stdout.splitlines()[1:]
        assert [re.split(r"\s{2,}", without_times(row))[-2:] for row in rows] == [
            ["vote", "waits, 1 of 3 signals"],
            ["consent", "waits, SOON left"],
        ]

    def test_as_json_it_has_the_numbers(self, run, begin):
        begin(voted).signal("vote", Consent(granted=True))
        (saga,) = json.loads(run("list", "--json").stdout)["sagas"]
        assert (saga["state"], saga["wanted"], saga["signals"]) == ("waiting", 3, 1)
        assert saga["wait"] is None

    def test_the_statistics_count_those_that_wait_apart(self, run, begin):
        begin(asked, "o-1")
        begin(asked, "o-2")
        begin(asked, "o-3").signal("consent", Consent(granted=True))
        told = run("stats").stdout
        assert "2 waiting for a signal or a time, not among the oldest\n" in told
        assert re.search(r"consent +asked +running +2 +2\n", told)
        document = json.loads(run("stats", "--json").stdout)
        assert document["waiting"] == 2
        assert [each["waiting"] for each in document["standing"]] == [2, 0]


def section(text, title):
    lines = text.split(f"\n{title}\n")[1].split("\n\n", maxsplit=1)[0].splitlines()
    return [without_times(line.strip()) for line in lines]


class TestExplain:
    def test_a_wait_is_no_step_that_a_cancel_leaves(self, run, begin):
        begin(voted).signal("vote", Consent(granted=True))
        told = run("explain", "o-1").stdout
        assert "waits for 3 signals" in told
        assert "Not undone" not in told

    def test_a_wait_is_no_trouble(self, run, begin):
        begin(asked)
        shown = run("explain", "o-1")
        assert shown.exit_code == 0
        assert "  consent waits for its signal.\n" in shown.stdout
        assert section(shown.stdout, "What happens next") == [
            "It goes on once it has its signal. Then comes deliver.",
            "Else it turns back as not_allowed at THEN (in SOON).",
        ]

    def test_who_has_signalled_is_said(self, run, begin):
        begin(voted).signal("vote", Consent(granted=True), by="ada")
        shown = run("explain", "o-1").stdout
        assert "  vote waits for 3 signals, and has 1.\n" in shown
        assert section(shown, "Why")[0].startswith("ada signalled vote at ")

    def test_each_command_that_is_printed_does_what_it_says(self, run, begin):
        for number, act in enumerate(("signal", "skip", "cancel", "pause")):
            handle = begin(asked, f"o-{number}")
            document = json.loads(run("explain", handle.id, "--json").stdout)
            assert (document["situation"], document["wait"]) == ("waiting", None)
            line = next(each["command"] for each in document["remedies"] if each["act"] == act)
            words = shlex.split(line.replace('"granted": ...', '"granted": true'))
            words = [word.replace('"note": ...', '"note": "fine"') for word in words]
            why = () if act == "signal" else ("--why", "x")
            assert run(*words[words.index("saga") + 1 :], *why).exit_code == 0
            has_ended = handle.snapshot().steps["consent"].state != "waiting"
            assert has_ended == (act != "pause")

    def test_several_signals_are_skipped_with_a_list(self, run, begin):
        handle = begin(voted)
        told = run("explain", "o-1").stdout
        assert """skip o-1 vote --output '[{"granted": ..., "note": ...}, ...]'""" in told
        shown = run("skip", "o-1", "vote", "--output", '{"granted": true}', "--why", "x")
        assert "vote needs its output, a list of signals" in shown.stderr
        run("skip", "o-1", "vote", "--output", '[{"granted": true}]', "--why", "x")
        assert handle.snapshot().steps["vote"].state == "skipped"

    def test_a_paused_one_can_be_signalled_too(self, run, begin):
        begin(asked).pause()
        document = json.loads(run("explain", "o-1", "--json").stdout)
        assert document["situation"] == "paused"
        acts = [each["act"] for each in document["remedies"]]
        assert acts == ["resume", "signal", "skip", "cancel"]

    def test_each_wait_of_a_stage_is_told(self, run, begin):
        begin(branches)
        shown = run("explain", "o-1").stdout
        assert "consent, deliver, vote, delay: 2 wait.\n" in shown
        assert section(shown, "What happens next") == [
            "consent: It goes on once it has its signal. Then comes deliver.",
            "consent: Else it turns back as not_allowed at THEN (in SOON).",
            "vote: It goes on once it has them.",
        ]
        assert shown.count("saga signal o-1") == 2
