"""Sagas that are steps of others, on the command line: as a tree, and what to do about one that does not go on."""

import json
import re
import shlex

import pytest
from pydantic import BaseModel

from amends import Child, Each, Parallel, Refused, Saga, Step, Wait, activity
from amends.cli.exit_codes import Exit
from amends.log.queries.children import Children
from tests.unit.cli.errands import ONCE, Errand, Shop, buy, deliver, give_back
from tests.unit.cli.step_table import do_and_undo


class Order(BaseModel):
    errand_id: str
    address: str = "1 Long Lane"
    parcels: list[Errand] = []


class Consent(BaseModel):
    granted: bool


class Result(BaseModel):
    outcome: str


@activity(retry=ONCE)
def post(errand: Errand) -> None:
    if errand.address == "Nowhere":
        raise Refused("no post to Nowhere")


def saga_of(name, *steps, of=Order):
    """Define a saga whose name no other test's has: children are started by their names."""
    return Saga(
        f"kin_{name}", input=of, output=Result, outputs={"outcome": "saga.outcome"}, steps=steps
    )


def bought(name):
    return Step(buy, compensation=give_back, name=name)


def child(saga, **how):
    return Child(saga, name=saga.name.removeprefix("kin_"), **how)


CONSENT = Wait("consent", Consent)
ITEM = {"errand_id": "item.errand_id", "address": "item.address"}

letter = saga_of("letter", bought("print"), CONSENT)
invoice = saga_of("invoice", bought("bill"), child(letter))
order = saga_of(
    "order", bought("buy"), child(invoice, outcome="no_invoice"), Step(deliver, compensation=None)
)
parcel = saga_of("parcel", bought("pack"), CONSENT, of=Errand)
shipment = saga_of("shipment", Each("input.parcels", child(parcel, inputs=ITEM)))
nested = saga_of(
    "nested", child(saga_of("inner", Each("input.parcels", child(parcel, inputs=ITEM))))
)
beside = saga_of("beside", child(saga_of("both", Parallel(CONSENT, child(letter)))))
receipt = saga_of("receipt", bought("bill"))
paid = saga_of("paid", child(receipt), CONSENT)
letters = saga_of("letters", Step(post, compensation=None), of=Errand)
final = saga_of("final", Step(buy, pivot=True), child(letters, outcome="no_letter"), CONSENT)


@pytest.fixture
def begin(app):
    """Give `begin(saga, "o-1")`: a saga that has come to where it waits."""

    def begin(saga, saga_id="o-1", parcels=0, **given):
        app.set_current()
        items = [Errand(errand_id=f"p-{n}") for n in range(parcels)]
        app.conf.task_always_eager = True
        handle = saga.start(Order(errand_id=saga_id, parcels=items, **given), saga_id=saga_id)
        app.conf.task_always_eager = False
        return handle

    return begin


@pytest.fixture
def cancel(app, run, monkeypatch):
    """Give `cancel("o-1")`, after which undos of all sagas fail."""

    def cancel(*ids):
        monkeypatch.setattr(Shop, "takes_back", False)
        app.conf.task_always_eager = True
        for saga_id in ids:
            assert run("cancel", saga_id, "--why", "x").exit_code == 0
        app.conf.task_always_eager = False

    return cancel


@pytest.fixture
def obey(app, run, monkeypatch):
    """Run a command line that was printed, once what went wrong is repaired."""

    def obey(line, *more):
        monkeypatch.setattr(Shop, "takes_back", True)
        app.conf.task_always_eager = True
        words = shlex.split(line)
        shown = run(*words[words.index("saga") + 1 :], *more)
        app.conf.task_always_eager = False
        assert shown.exit_code == 0, shown.output

    return obey


def table(text):
    """Return the rows of the steps, without their times."""
    return do_and_undo(text)


def facts(text):
    return dict(re.findall(r"^  (\w[\w ]*?)  +(\S.*)$", text.split("\n\n")[0], re.MULTILINE))


def section(text, title):
    lines = text.split(f"\n{title}\n")[1].split("\n\n", maxsplit=1)[0].splitlines()
    return [re.sub(r"for [\d.]+s", "for SOME", line.strip()) for line in lines]


class TestShow:
    def test_children_and_theirs_are_drawn_under_their_steps(self, run, begin):
        begin(order)
        shown = run("show", "o-1").output
        assert table(shown) == [
            "   buy                       done                       -",
            ">  invoice                   waiting                    -",
            "   -> o-1.invoice            running at letter",
            "      -> o-1.invoice.letter  running, waits at consent",
            "   deliver                                              has none",
        ]
        assert facts(shown)["waits for"] == "o-1.invoice.letter, which is running"
        assert max(map(len, table(shown))) <= 80

    def test_a_child_names_its_parent(self, run, begin):
        begin(order)
        assert (
            facts(run("show", "o-1.invoice.letter").output)["child of"]
            == "o-1.invoice, step letter"
        )
        assert "child of" not in facts(run("show", "o-1").output)

    def test_what_is_stuck_beneath_is_named_and_where_to_read_on(self, run, begin, cancel):
        begin(order)
        cancel("o-1")
        shown = run("show", "o-1")
        assert shown.exit_code == 0  # it is not stuck itself
        assert facts(shown.output)["waits for"] == "o-1.invoice.letter, which is stuck"
        assert "      -> o-1.invoice.letter  stuck at print:undo\n" in shown.output
        assert shown.output.endswith(
            "What it waits for, and what you can do: celery saga explain o-1\n"
        )

    def test_one_that_has_ended_is_one_line_with_its_outcome(self, run, begin, obey):
        begin(paid)
        assert "  -> o-1.receipt  completed\n" in run("show", "o-1").output
        obey("saga cancel o-1 --why x")
        assert "  -> o-1.receipt  compensated: undone\n" in run("show", "o-1").output

    def test_of_many_those_that_are_stuck_or_run_longest_are_drawn_and_all_counted(
        self, run, begin, cancel
    ):
        begin(shipment, parcels=14)
        cancel("o-1.parcel.12")
        shown = run("show", "o-1").output
        rows = [row.split() for row in table(shown)]
        assert rows[0] == ["parcel,", "14", "items", "1", "stuck", "-"]
        assert rows[1] == ["13", "running"]
        drawn = [row[2] for row in rows if "->" in row]
        assert drawn == ["o-1.parcel.12", *(f"o-1.parcel.{n}" for n in range(1, 10))]
        assert "and 4 more; --json has all" in shown
        assert facts(shown)["waits for"] == "14 children: 1 stuck, 13 running"

    def test_of_many_beneath_a_child_the_stuck_ones_come_first(self, run, begin, cancel):
        begin(nested, parcels=9)
        cancel("o-1.inner.parcel.8")
        rows = [row.split() for row in table(run("show", "o-1").output)]
        assert [row[1] for row in rows[1:4]] == [
            "o-1.inner",
            "o-1.inner.parcel.8",
            "o-1.inner.parcel.1",
        ]
        assert rows[-1] == ["->", "and", "4", "more", "4", "running"]

    def test_as_json_it_has_every_child_and_its_parent(self, run, begin):
        begin(order)
        (child,) = json.loads(run("show", "o-1", "--json").stdout)["children"]
        assert (child["id"], child["parent_step"], child["status"]) == (
            "o-1.invoice",
            "invoice",
            "running",
        )
        (grandchild,) = child["children"]
        assert (grandchild["id"], grandchild["record"]) == ("o-1.invoice.letter", "consent")
        shown = json.loads(run("show", "o-1.invoice", "--json").stdout)
        assert (shown["parent"], shown["parent_step"]) == ("o-1", "invoice")

    def test_a_child_beside_another_wait_is_drawn_too(self, run, begin):
        begin(beside)
        shown = run("show", "o-1").output
        assert [row[1] for row in map(str.split, table(shown)) if row[0] == "->"] == [
            "o-1.both",
            "o-1.both.letter",
        ]

    def test_its_history_names_its_parent(self, run, begin):
        begin(paid)
        told = run("history", "o-1.receipt").output
        assert re.search(r"saga\.adopted +parent o-1, step receipt\n", told)

    def test_an_id_of_another_saga_is_no_child(self, run, begin):
        begin(receipt, "o-1.receipt")
        begin(paid)
        shown = run("show", "o-1").output
        assert "->" not in shown
        assert "SagaAlreadyStarted" in shown

    def test_one_that_retention_removed_is_no_longer_there(self, run, begin, obey, log):
        begin(paid)
        obey("saga signal o-1 consent --data '{\"granted\": true}'")
        assert log.maintenance.remove_sagas(["o-1.receipt"], kept_for=-1.0) == 1
        assert "  -> o-1.receipt  no longer in the log\n" in run("show", "o-1").output

    def test_a_saga_without_children_asks_the_log_for_none(self, begin, log):
        begin(receipt)
        children = Children(None, None)  # type: ignore[arg-type]
        assert children.read_children(log.read_saga("o-1")) == []


class TestLists:
    def test_a_list_says_which_child_a_saga_waits_for(self, run, begin):
        begin(order)
        assert "waits for o-1.invoice.letter\n" in run("list").output
        first = json.loads(run("list", "--oldest-first", "--json").stdout)["sagas"]
        kin = {each["id"]: (each["parent"], each["child"]) for each in first}
        assert kin == {
            "o-1": (None, "o-1.invoice"),
            "o-1.invoice": ("o-1", "o-1.invoice.letter"),
            "o-1.invoice.letter": ("o-1.invoice", None),
        }

    def test_stuck_lists_what_waits_for_it_with_why(self, run, begin, cancel):
        begin(order)
        begin(shipment, "s-1", parcels=3)
        cancel("o-1", "s-1.parcel.1", "s-1.parcel.2")
        shown = run("stuck", "--limit", "9")
        assert shown.exit_code == Exit.ATTENTION
        listed = shown.stdout[shown.stdout.index("id ") :]
        rows = [re.split(r"\s{2,}", row) for row in listed.splitlines()[1:-1]]
        assert [row[0] for row in rows[:3]] == [
            "o-1.invoice.letter",
            "s-1.parcel.1",
            "s-1.parcel.2",
        ]
        why = {row[0]: row[-1] for row in rows[3:]}
        assert why == {
            "o-1.invoice": "waits for o-1.invoice.letter",
            "o-1": "waits for o-1.invoice.letter",
            "s-1": "waits for s-1.parcel.1, s-1.parcel.2",
        }
        document = json.loads(run("stuck", "--json").stdout)
        assert [each["id"] for each in document["sagas"]] == [row[0] for row in rows[:3]]
        assert {each["id"]: each["waits_for"] for each in document["waiting"]}["s-1"] == [
            "s-1.parcel.1",
            "s-1.parcel.2",
        ]

    def test_the_statistics_count_a_wait_for_a_child_as_a_wait(self, run, begin):
        begin(order)
        standing = json.loads(run("stats", "--json").stdout)["standing"]
        assert {each["record"]: each["waiting"] for each in standing}["invoice"] == 1


class TestExplain:
    def test_a_child_that_goes_on_is_no_trouble(self, run, begin):
        begin(order)
        shown = run("explain", "o-1")
        assert shown.exit_code == 0
        assert "  invoice waits for its child o-1.invoice.\n" in shown.output
        assert section(shown.output, "Why") == [
            "o-1.invoice has been running for SOME, and waits for its child o-1.invoice.letter.",
            "o-1.invoice.letter has been running for SOME at consent.",
        ]
        assert section(shown.output, "What happens next") == [
            "It goes on once o-1.invoice has completed; if that turns back, this saga turns back as no_invoice. Then comes deliver.",
            "o-1.invoice.letter: It goes on once it has its signal.",
        ]
        assert "      celery saga signal o-1.invoice.letter consent --data" in shown.output
        assert (
            section(shown.output, "What a cancel would do")[0]
            == "1. o-1.invoice, its child, is cancelled"
        )

    def test_a_stuck_one_is_followed_down_and_its_command_lets_all_go_on(
        self, run, begin, cancel, obey
    ):
        handle = begin(order)
        cancel("o-1")
        shown = run("explain", "o-1")
        assert shown.exit_code == Exit.ATTENTION
        assert "  invoice waits for o-1.invoice.letter, which is stuck.\n" in shown.output
        assert section(shown.output, "Why")[-1] == (
            "o-1.invoice.letter has been stuck for SOME at print:undo: ConnectionError: the shop is closed."
        )
        assert section(shown.output, "What happens next") == [
            "Nothing, until an operator repairs o-1.invoice.letter. Then it goes on by itself."
        ]
        sentence, line, *_ = section(shown.output, "What you can do")
        assert (
            sentence
            == "o-1.invoice.letter: After fixing the cause, retry with a fresh attempt budget:"
        )
        obey(line, "--why", "x")
        assert handle.status == "compensated"

    def test_a_paused_one_is_said_and_how_it_goes_on(self, run, begin):
        begin(order)
        assert run("pause", "o-1.invoice", "--why", "x").exit_code == 0
        shown = run("explain", "o-1").output
        assert "  invoice waits for o-1.invoice, which is paused.\n" in shown
        assert "o-1.invoice has been running and paused for" in shown
        assert section(shown, "What happens next") == [
            "Nothing, until an operator resumes o-1.invoice."
        ]
        sentence, line, *_ = section(shown, "What you can do")
        assert (sentence, line) == ("o-1.invoice: Let it go on:", "celery saga resume o-1.invoice")

    def test_of_many_the_stuck_one_comes_first(self, run, begin, cancel):
        begin(shipment, parcels=14)
        cancel("o-1.parcel.12")
        shown = run("explain", "o-1")
        assert shown.exit_code == Exit.ATTENTION
        assert "  parcel, 14 items: 14 wait. o-1.parcel.12 is stuck.\n" in shown.output
        assert section(shown.output, "Why")[0].startswith(
            "parcel[12]: o-1.parcel.12 has been stuck for"
        )
        assert "saga retry o-1.parcel.12 --seen" in shown.output

    def test_of_several_stuck_ones_each_has_its_command(self, run, begin, cancel):
        begin(shipment, parcels=5)
        cancel("o-1.parcel.2", "o-1.parcel.4")
        shown = run("explain", "o-1").output
        assert "o-1.parcel.2, o-1.parcel.4 are stuck.\n" in shown
        assert shown.count("celery saga retry o-1.parcel.2 --seen") == 1
        assert shown.count("celery saga retry o-1.parcel.4 --seen") == 1
        assert "Stuck at pack:undo too: 1. To try all of them again:" in shown

    def test_as_json_it_has_the_causes_with_their_commands(self, run, begin, cancel):
        begin(order)
        cancel("o-1")
        document = json.loads(run("explain", "o-1", "--json").stdout)
        (cause,) = document["causes"]
        assert (cause["id"], cause["situation"]) == ("o-1.invoice.letter", "stuck")
        assert cause["remedies"][0]["command"].startswith("celery saga retry o-1.invoice.letter")
        child = document["record"]["child"]
        assert (child["id"], child["waits_for"][0]["status"]) == ("o-1.invoice", "stuck")
        assert document["next_at"] is None

    def test_a_child_says_what_its_end_does_to_its_parent(self, run, begin, cancel):
        begin(order)
        shown = run("explain", "o-1.invoice").output
        assert (
            section(shown, "Why")[0]
            == "It is the child of o-1, at its step invoice. That saga is running."
        )
        assert section(shown, "What happens next")[-1] == (
            "Once this saga has completed, o-1 goes on with its output; if it turns back, o-1 turns back as no_invoice."
        )
        cancel("o-1")
        shown = run("explain", "o-1.invoice").output
        assert "o-1 cancelled it at" in shown
        assert (
            section(shown, "What happens next")[-1]
            == "o-1 goes back, and waits for the end of this saga."
        )

    def test_a_completed_child_is_undone_by_its_parent_alone(self, run, begin, obey):
        begin(paid)
        assert run("cancel", "o-1.receipt", "--why", "x").exit_code == Exit.REFUSED
        shown = run("explain", "o-1.receipt").output
        assert section(shown, "What happens next") == [
            "Nothing more.",
            "Until o-1 has ended, that saga alone can undo it: it does so if it turns back.",
        ]
        _, line = section(shown, "What you can do")
        assert "1. o-1.receipt, its child, is undone" in run("explain", "o-1").output
        obey(line, "--why", "x")
        shown = run("explain", "o-1.receipt").output
        assert "o-1 has ended" not in shown  # nothing of it is left to be undone
        assert "What you can do" not in shown

    def test_past_the_point_of_no_return_another_child_may_be_started(self, run, begin, obey):
        handle = begin(final, address="Nowhere")
        shown = run("explain", "o-1").output
        assert "letters failed: ChildTurnedBack: o-1.letters is compensated" in shown
        acts = section(shown, "What you can do")
        assert acts[0] == "After fixing the cause, let letters start another child:"
        assert acts[2] == "Once you have done letters by hand, let the saga pass over it:"
        obey(acts[1], "--why", "x")
        assert "  -> o-1.letters-2  compensated: failed\n" in run("show", "o-1").output
        shown = run("skip", "o-1", "letters", "--why", "x")
        assert (shown.exit_code, "letters needs its output" in shown.stderr) == (Exit.REFUSED, True)
        obey("""saga skip o-1 letters --output '{"outcome": "by hand"}' --why x""")
        assert handle.snapshot().steps["letters"].state == "skipped"
