"""Acts on all sagas that a filter finds: cuts are said, causes select, Ctrl-C is gone on from."""

import json
import os
import re
import shlex
import signal

import pytest

from amends.cli.bulk import progress_line
from amends.cli.filters import rate_of
from amends.definition.states import SagaStatus
from amends.operations import bulk_run, find_causes
from tests.support.log_view import lost_answers
from tests.support.stuck_sagas import StuckSagas
from tests.unit.cli.errands import errand_saga

WHY = ("--yes", "--why", "the bank is back")
AWAY, KEY = "Away: no answer for {}", "KeyError: 'sku'"


@pytest.fixture
def sagas(log):
    """Give eleven sagas that are stuck, six of them for one cause."""
    sagas = StuckSagas(log, errand_saga.itinerary, "buy")
    sagas.be_stuck({f"e-{n:02}": AWAY.format(f"e-{n:02}") if n < 6 else KEY for n in range(11)})
    return sagas


@pytest.fixture
def in_pairs(monkeypatch):
    """Let a batch have two sagas."""
    init = bulk_run.BulkRun.__init__
    monkeypatch.setattr(
        bulk_run.BulkRun, "__init__", lambda self, **given: init(self, **given, batch=2)
    )


def again_in(shown):
    """Return the words of the command that goes on."""
    line = next(each for each in shown.stderr.splitlines() if each.startswith("    "))
    return shlex.split(line.partition(" saga ")[2])


def left(sagas):
    return sagas.count(SagaStatus.STUCK)


def test_a_cut_is_said_with_how_many_more_fit_and_the_code_is_1(run, sagas):
    shown = run("retry", "--saga", "errand", "--limit", "4", *WHY)
    assert shown.exit_code == 1
    assert shown.stdout.endswith("\n4 done\n")
    assert "7 more fit. To act on all of them:" in shown.stderr
    assert left(sagas) == 7
    shown = run(*again_in(shown))
    assert (shown.exit_code, left(sagas)) == (0, 0)


def test_a_cut_is_said_in_json_too(run, sagas):
    shown = run("retry", "--saga", "errand", "--limit", "4", "--json", *WHY)
    document = json.loads(shown.stdout)
    assert shown.exit_code == 1
    assert len(document["results"]) == 4
    assert (document["matched"], document["more"], document["matched_is_cut"]) == (11, 7, False)
    shown = run(
        "retry", "--saga", "errand", "--limit", "9", "--json", "--after", document["after"], *WHY
    )
    document = json.loads(shown.stdout)
    assert shown.exit_code == 0
    assert (document["matched"], document["more"], document["after"]) == (7, 0, None)
    assert left(sagas) == 0


def test_all_is_every_page(run, sagas, in_pairs):
    shown = run("retry", "--saga", "errand", "--all", *WHY)
    assert (shown.exit_code, left(sagas)) == (0, 0)
    assert shown.stdout.endswith("\n11 done\n")


def test_a_person_is_asked_for_all_of_them(run, sagas, someone, monkeypatch):
    monkeypatch.setattr("amends.cli.acts._MOST", 3)
    shown = run("retry", "--saga", "errand", "--all", "--why", "x", input="n\n")
    assert shown.exit_code == 1
    assert "Retry these 11 sagas?" in shown.stderr
    assert "... and 1 more" in shown.stderr
    assert left(sagas) == 11


def test_a_cause_and_an_error_select(run, app, sagas):
    away, key = find_causes(app).groups
    assert (away.count, key.count) == (6, 5)
    listed = json.loads(run("list", "--cause", key.cause.key, "--json").stdout)
    assert {each["id"] for each in listed["sagas"]} == {f"e-{n:02}" for n in range(6, 11)}
    assert run("retry", "--cause", away.cause.key, "--all", *WHY).stdout.endswith("6 done\n")
    assert run("retry", "--error", "keyerror", "--all", *WHY).stdout.endswith("5 done\n")
    assert left(sagas) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--all",), "retry which sagas?"),
        (("--saga", "errand", "--all", "--limit", "3"), "which of the two?"),
        (("e-01", "--all"), "--all and --after go with options"),
        (("--cause", "x"), "is no cause"),
        (("--saga", "errand", "--after", "x"), "is no place in a listing"),
        (("--saga", "errand", "--rate", "fast"), "is no rate"),
    ],
)
def test_a_wrong_usage_does_nothing(run, sagas, options, said):
    shown = run("retry", *options, *WHY)
    assert shown.exit_code == 2
    assert said in shown.stderr
    assert left(sagas) == 11


@pytest.fixture
def interruptible():
    """Hear an interrupt, also where this process ignores it, as in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("how", [(), ("--json",)])
def test_ctrl_c_ends_it_after_a_batch_and_gives_the_command_that_goes_on(
    run, sagas, in_pairs, monkeypatch, how
):
    acts = bulk_run.perform_batch

    def interrupted(log, operation, targets, line, **more):
        if targets[0].id == "e-02":
            os.kill(os.getpid(), signal.SIGINT)
        return acts(log, operation, targets, line, **more)

    monkeypatch.setattr(bulk_run, "perform_batch", interrupted)
    before = signal.getsignal(signal.SIGINT)
    shown = run("retry", "--saga", "errand", "--all", *WHY, *how)
    assert signal.getsignal(signal.SIGINT) is before
    assert (shown.exit_code, left(sagas)) == (130, 7)
    if how:
        document = json.loads(shown.stdout)
        assert (document["stopped"], document["matched"], document["more"]) == (True, 11, 7)
        again = shlex.split(document["go_on"].partition(" saga ")[2])
    else:
        assert shown.stdout.endswith("4 done, 7 not tried\n")
        again = again_in(shown)
    sagas.fail_undo({"e-00": KEY})  # stuck again: not to be acted on twice
    shown = run(*again)
    assert (shown.exit_code, left(sagas)) == (0, 1)
    for n in range(11):
        assert sagas.names(f"e-{n:02}").count("saga.retried") == 1


@pytest.mark.usefixtures("interruptible")
def test_a_second_ctrl_c_ends_it_at_once(run, sagas, monkeypatch):
    def interrupted(*_, **__):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(bulk_run, "perform_batch", interrupted)
    shown = run("retry", "--saga", "errand", "--all", *WHY)
    assert (shown.exit_code, left(sagas)) == (130, 11)


def test_a_log_that_does_not_answer_gives_the_command_that_goes_on(run, log, sagas, in_pairs):
    with lost_answers(log, "retry_saga", times=99):
        shown = run("retry", "--saga", "errand", "--all", *WHY)
    assert shown.exit_code == 5
    assert "2 unavailable, 9 not tried" in shown.stdout
    assert run(*again_in(shown)).exit_code == 0
    assert left(sagas) == 0
    assert sagas.names("e-00").count("saga.retried") == 1


def test_named_sagas_are_gone_on_with_by_their_names(run, log, sagas):
    with lost_answers(log, "retry_saga", times=99):
        shown = run("retry", "e-01", "e-02", *WHY)
    assert shown.exit_code == 5
    assert re.fullmatch(
        r"retry e-01 e-02 --yes --act-id \w+ --why the bank is back", " ".join(again_in(shown))
    )


def test_what_moved_since_it_was_counted_is_told(run, sagas, in_pairs, monkeypatch):
    acts = bulk_run.perform_batch

    def moved(log, operation, targets, line, **how):
        if targets[0].id == "e-00":
            log.control.retry_saga("e-05", actor={"by": "bob"})
        return acts(log, operation, targets, line, **how)

    monkeypatch.setattr(bulk_run, "perform_batch", moved)
    shown = run("retry", "--saga", "errand", "--all", *WHY)
    assert shown.exit_code == 1
    assert shown.stdout.endswith("10 done\n")
    assert "1 of 11 moved meanwhile, and were left alone." in shown.stderr


@pytest.mark.parametrize(
    ("text", "rate"), [("50/s", 50.0), ("50", 50.0), ("600/m", 10.0), ("36/h", 0.01)]
)
def test_a_rate_is_so_many_a_second(text, rate):
    assert rate_of(text) == rate


class TestProgress:
    @pytest.fixture
    def clock(self):
        return [0.0]

    @pytest.fixture
    def line(self, clock):
        return progress_line.ProgressLine(lambda: clock[0])

    def test_a_pipe_gets_a_line_every_five_seconds(self, line, clock, capsys):
        for clock[0] in range(12):
            line.show(f"at {clock[0]}")
        line.clear()
        assert capsys.readouterr() == ("", "at 5\nat 10\n")

    def test_a_terminal_has_one_that_is_rewritten_and_taken_away(self, clock, capsys, monkeypatch):
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)
        line = progress_line.ProgressLine(lambda: clock[0])
        for clock[0] in (0.1, 0.3, 0.4, 0.6):
            line.show(f"at {clock[0]}")
        line.clear()
        assert capsys.readouterr().err == "\r\x1b[Kat 0.3\r\x1b[Kat 0.6\r\x1b[K"
