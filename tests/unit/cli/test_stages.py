"""A saga with stages of several branches, on the command line."""

import json
import re
import shlex

import pytest

from amends.cli.exit_codes import Exit
from amends.definition.states import SagaStatus
from amends.log.queries.stage_state import stage_at_hand
from tests.support.sagas.fulfilment import ERROR, Moves, order_of, parcels_saga
from tests.unit.cli.step_table import do_and_undo

YES = ("--why", "by hand")


@pytest.fixture
def parcels(app) -> Moves:
    return Moves(app)


def table(text: str) -> list[str]:
    """Return the rows of the steps as they are drawn, without what takes time."""
    return [re.sub(r"running for [\d.]+s", "running", row) for row in do_and_undo(text)]


def section(text: str, title: str) -> list[str]:
    lines = text.split(f"\n{title}\n")[1].split("\n\n", maxsplit=1)[0].splitlines()
    return [line.strip() for line in lines]


class TestShow:
    def test_branches_are_drawn_under_their_stage(self, run, parcels):
        parcels.start("o-1")
        parcels.do("o-1", "reserve")
        parcels.claim("o-1", "score")
        shown = run("show", "o-1")
        assert "stands at   score: running for" in shown.output
        assert "  besides     1 more\n" in shown.output
        assert table(shown.output) == [
            "   reserve                                 done                         -",
            "   2 branches at once",
            ">  + score                                 running, attempt 1  has none",
            "   | authorize                                                          -",
            ">  + pick                                  pending                      -",
            "   ship, each of input.parcels, 2 at once                               -",
            "   bill                                                                 has none",
        ]

    def test_few_items_are_drawn_each(self, run, parcels):
        parcels.ship_first("o-1")
        parcels.claim("o-1", "ship[1]")
        parcels.put_off("o-1", "ship[2]", wait=600.0)
        rows = table(run("show", "o-1").output)
        assert [row.split() for row in rows[5:9]] == [
            ["ship,", "3", "items,", "2", "at", "once"],
            [">", "+", "ship[1]", "running,", "attempt", "1", "-"],
            [">", "+", "ship[2]", "again", "in", "10m,", "1", "attempt", "-"],
            ["+", "ship[3]", "waits", "for", "a", "place", "-"],
        ]

    def test_of_a_thousand_items_those_that_need_a_look_are_drawn_and_the_others_counted(
        self, run, parcels
    ):
        parcels.ship_first("o-1", parcels=1_000)
        parcels.claim("o-1", "ship[1]")
        parcels.put_off("o-1", "ship[2]", wait=600.0)
        shown = run("show", "o-1").output
        assert len(shown.splitlines()) < 30
        assert max(map(len, do_and_undo(shown))) <= 80
        assert [row.split() for row in table(shown)[5:10]] == [
            ["ship,", "1,000", "items,", "2", "at", "once", "1", "running", "-"],
            ["1", "waiting"],
            ["998", "wait", "for", "a", "place"],
            [">", "+", "ship[2]", "again", "in", "10m,", "1", "attempt", "-"],
            [">", "+", "ship[1]", "running,", "attempt", "1", "-"],
        ]

    def test_more_failed_items_than_fit_are_counted_and_their_errors_told_once(self, run, parcels):
        parcels.be_stuck("o-1", parcels=15, at=range(1, 13))
        shown = run("show", "o-1").output
        rows = table(shown)
        assert sum("stuck, 1 attempt" in row for row in rows) == 10
        assert "   + and 2 more; --json has all" in rows
        assert "  ship[1]:undo and 11 more: Away: nobody answers\n" in shown
        assert shown.count("nobody answers") == 3  # turned by, the items', the bill's

    def test_it_says_that_the_stage_settles(self, run, parcels):
        parcels.ship_first("o-1", parcels=4)
        parcels.claim("o-1", "ship[1]")
        parcels.lose("o-1", "ship[2]")
        shown = run("show", "o-1").output
        assert (
            "settles     what runs may end, and is not tried again; then the undo begins" in shown
        )
        assert "2 not begun" in shown
        assert "wait for a place" not in shown
        assert re.search(r"reserve +done +pending +0", shown)  # the undo that comes is told
        parcels.complete("o-1", "ship[1]")
        assert "settles" not in run("show", "o-1").output

    def test_as_json_it_has_every_item_and_each_stage(self, run, parcels):
        parcels.ship_first("o-1", parcels=12)
        parcels.claim("o-1", "ship[1]")
        shown = json.loads(run("show", "o-1", "--json").stdout)
        names = [step["name"] for step in shown["steps"]]
        assert names[4:16] == [f"ship[{item}]" for item in range(1, 13)]
        assert [record["record"] for record in shown["steps"][4]["records"]] == [
            "ship[1]",
            "ship[1]:undo",
        ]
        assert shown["at_hand"] == ["ship[1]", "ship[2]"]
        parallel, each = shown["stages"]
        assert parallel["branches"] == [["score", "authorize"], ["pick"]]
        assert (each["items"], each["concurrency"]) == ("input.parcels", 2)
        assert each["waiting"] == names[6:16]

    def test_the_outputs_of_items_are_told_where_they_are_asked_for(self, run, parcels):
        parcels.ship_first("o-1")
        parcels.do("o-1", "ship[2]")
        shown = json.loads(run("show", "o-1", "--json", "--output").stdout)
        assert shown["outputs"]["ship[2]"] == {"receipt": "ship[2]", "score": 1}


class TestExplain:
    def test_each_branch_says_what_it_waits_for(self, run, parcels):
        parcels.ship_first("o-1", parcels=5)
        parcels.claim("o-1", "ship[1]")
        parcels.put_off("o-1", "ship[2]", wait=600.0)
        shown = run("explain", "o-1").output
        assert "ship, 5 items: 1 runs, 1 waits for its next attempt, 3 wait for a place.\n" in shown
        why = section(shown, "Why")
        assert why[0].startswith("At most 2 items may be at work at once")
        assert (
            "ship[2]: Attempts spent: 1 of 2. The last one ended with Away: nobody answers." in why
        )
        assert any(line.startswith("ship[1]: Attempt 1 of 2 began at") for line in why)
        comes = section(shown, "What happens next")
        assert [line.partition(":")[0] for line in comes[:2]] == ["ship[2]", "ship[1]"]
        assert "Then comes" not in "".join(comes)

    def test_branches_that_wait_for_a_circuit_or_for_a_worker_that_knows_them_say_so(
        self, run, parcels
    ):
        parcels.ship_first("o-1")
        parcels.claim("o-1", "ship[1]")
        error = '{"type":"CircuitOpenError","message":"open","circuit":"carrier"}'
        how = {"token": "ship[1]", "error": error, "unknown": False, "cost": "nothing"}
        parcels.log.retry_step("o-1", "ship[1]", wait=600.0, **how)
        parcels.log.note_unregistered("o-1", "ship[2]", task="shop.ship", most=5)
        shown = run("explain", "o-1").output
        assert (
            "ship, 3 items: 1 waits for a circuit breaker, 1 met a worker that did not know its task,"
            " 1 waits for a place.\n" in shown
        )
        why = section(shown, "Why")
        assert "ship[1]: Circuit breaker carrier let no call through." in why
        assert any(line.startswith("ship[2]: 1 of 5 messages met a worker") for line in why)
        acts = {
            each["act"] for each in json.loads(run("explain", "o-1", "--json").stdout)["remedies"]
        }
        assert acts == {"retry", "cancel", "pause"}

    def test_what_comes_next_is_said_of_the_same_branch(self, run, parcels):
        parcels.start("o-1")
        parcels.do("o-1", "reserve")
        parcels.claim("o-1", "score", "pick")
        comes = section(run("explain", "o-1").output, "What happens next")
        assert comes[0].endswith("Then comes authorize.")
        assert "Then comes" not in comes[1]

    def test_of_many_branches_some_are_told_and_the_others_counted(self, run, app, moves):
        app.set_current()
        parcels_saga.start(order_of(30), saga_id="o-1")
        for item in (7, 8):
            moves.claim("o-1", f"ship[{item}]")
        shown = run("explain", "o-1").output
        assert "ship, 30 items: 2 run, 28 come next.\n" in shown
        why = section(shown, "Why")
        told = {line.partition(":")[0] for line in why}
        assert {"ship[7]", "ship[8]", "ship[1]"} < told
        assert len(told) == 6
        assert why[-1] == "And 25 more; `show --json` has all."

    def test_a_saga_that_settles_says_so(self, run, parcels):
        parcels.ship_first("o-1", parcels=4)
        parcels.claim("o-1", "ship[1]")
        parcels.lose("o-1", "ship[2]")
        shown = run("explain", "o-1").output
        assert "The saga settles: what runs may finish, and is not tried again" in shown
        assert "The undo begins after it." in shown
        assert "place" not in shown

    def test_what_waited_for_a_place_waits_for_none_once_the_saga_settles(self, run, parcels):
        parcels.ship_first("o-1", parcels=4)
        parcels.claim("o-1", "ship[1]")
        assert run("cancel", "o-1", *YES).exit_code == 0
        assert "place" not in run("explain", "o-1").output
        assert "place" not in run("show", "o-1").output

    def test_an_undo_that_failed_is_told_while_the_others_go_on(self, run, parcels):
        parcels.ship_first("o-1")
        parcels.do("o-1", "ship[1]", "ship[2]", "ship[3]")
        parcels.lose("o-1", "bill", "ship[3]:undo")
        parcels.claim("o-1", "ship[1]:undo")
        shown = run("explain", "o-1").output
        assert "Undo of ship, 3 items: 1 runs, 1 comes next, 1 failed for good.\n" in shown
        assert "The other branches go on." in shown
        assert "The undo of ship[3] (" in shown
        acts = section(shown, "What you can do")
        assert acts[0] == "After fixing the cause, retry ship[3]:undo with a fresh attempt budget:"
        assert any(re.search(r"saga skip o-1 'ship\[3\]' --seen \d+$", line) for line in acts)

    @pytest.mark.parametrize("step", ["ship[2]", "ship"])
    def test_the_commands_for_stuck_items_do_what_they_say(self, run, parcels, step):
        parcels.be_stuck("o-1", parcels=8, at=(2, 3))
        remedies = json.loads(run("explain", "o-1", "--json").stdout)["remedies"]
        (line,) = [each["command"] for each in remedies if each["step"] == step]
        words = shlex.split(line)
        assert run(*words[words.index("saga") + 1 :], *YES).exit_code == 0
        left = {"ship": SagaStatus.COMPENSATED, "ship[2]": SagaStatus.STUCK}[step]
        assert parcels.log.read_status("o-1") is left

    def test_of_many_failed_items_a_few_are_told(self, run, parcels):
        parcels.be_stuck("o-1", parcels=9, at=range(1, 9))
        shown = run("explain", "o-1").output
        assert shown.count("failed for good after its only attempt") == 5
        assert "So did 3 more; `show --json` has all." in shown
        assert "retry all 8 that failed" in shown
        assert "all 8 items of ship by hand that failed" in shown

    def test_a_cancel_says_what_is_undone_at_once(self, run, parcels):
        parcels.ship_first("o-1", parcels=9)
        parcels.do("o-1", *(f"ship[{item}]" for item in range(1, 10)))
        effects = section(run("explain", "o-1").output, "What a cancel would do")
        assert [re.sub(r"tests\S*\.", "", line) for line in effects] == [
            "1. call_back undoes ship[1] and 8 more",
            "2. void undoes authorize",
            "2. put_back undoes pick",
            "3. release undoes reserve",
            "Those of one number are undone at once, as far as places allow.",
            "Not undone, for no compensation is defined: score.",
        ]

    def test_what_a_cancel_is_said_to_undo_is_what_it_undoes(self, run, parcels):
        parcels.ship_first("o-1", parcels=4)
        parcels.do("o-1", "ship[1]", "ship[2]")
        owed = [
            u["path"]
            for u in json.loads(run("explain", "o-1", "--json").stdout)["cancel"]["undoes"]
        ]
        assert run("cancel", "o-1", *YES).exit_code == 0
        parcels.advance("o-1")
        assert parcels.log.examine_saga("o-1").remaining == owed

    def test_a_parked_branch_is_the_one_that_is_told(self, run, parcels):
        parcels.ship_first("o-1")
        parcels.claim("o-1", "ship[2]")
        how = {"token": "ship[2]", "error": ERROR, "unknown": False, "cost": "unreadable"}
        for number in range(5):
            if number:
                parcels.advance("o-1")
                parcels.claim("o-1", "ship[2]")
            parcels.log.retry_step("o-1", "ship[2]", wait=0.0, **how)
        assert parcels.log.read_status("o-1") is SagaStatus.STUCK
        assert "stands at   ship[2]: " in run("show", "o-1").output
        assert "ship[2] cannot begin: " in run("explain", "o-1").output

    def test_a_saga_of_a_line_has_no_word_of_stages(self, run, moves):
        moves.start("v-1")
        explained = json.loads(run("explain", "v-1", "--json").stdout)
        assert "stage" not in explained
        moves.do("v-1", "room")
        undoes = json.loads(run("explain", "v-1", "--json").stdout)["cancel"]["undoes"]
        assert [sorted(each) for each in undoes] == [["is_certain", "path", "task", "undoes"]]
        assert (
            json.loads(run("show", "v-1", "--json").stdout).keys().isdisjoint({"stages", "at_hand"})
        )


class TestLists:
    @pytest.mark.parametrize(
        ("step", "ids"),
        [
            ("ship", {"o-1", "o-2"}),
            ("ship:undo", {"o-2"}),
            ("ship[2]", {"o-2"}),
            ("ship[2]:undo", {"o-2"}),
            ("score", {"o-3"}),
            ("pick", {"o-3"}),
            ("authorize", set()),
            ("shi", set()),
        ],
    )
    def test_a_saga_is_found_by_each_step_that_it_stands_at(self, run, parcels, step, ids):
        parcels.ship_first("o-1")
        parcels.claim("o-1", "ship[1]")
        parcels.be_stuck("o-2")
        parcels.start("o-3")
        parcels.do("o-3", "reserve")
        parcels.claim("o-3", "pick")
        found = json.loads(run("list", "--step", step, "--json").stdout)["sagas"]
        assert {each["id"] for each in found} == ids

    def test_the_branch_that_counts_is_listed(self, run, parcels):
        parcels.ship_first("o-1")
        parcels.do("o-1", "ship[1]", "ship[2]", "ship[3]")
        parcels.lose("o-1", "bill", "ship[2]:undo")
        (listed,) = json.loads(run("list", "--json").stdout)["sagas"]
        assert (listed["record"], listed["step"], listed["state"]) == (
            "ship[2]:undo",
            "ship",
            "stuck",
        )
        parcels.ship_first("o-2", parcels=5)
        parcels.claim("o-2", "ship[2]")
        listed = json.loads(run("list", "--id", "o-2", "--json").stdout)["sagas"][0]
        assert (listed["record"], listed["state"]) == ("ship[2]", "running")

    def test_one_that_waits_for_a_place_is_not_the_one_that_is_listed(self, run, parcels):
        parcels.ship_first("o-1", parcels=5)
        parcels.do("o-1", *(f"ship[{item}]" for item in range(1, 6)))
        parcels.lose("o-1", "bill")
        (listed,) = json.loads(run("list", "--json").stdout)["sagas"]
        branches = stage_at_hand(parcels.log.read_saga("o-1")).branches
        placed = [each.steps[0] for each in branches if not each.waits_for_place]
        assert len(placed) == 2
        assert listed["record"].removesuffix(":undo") in placed

    def test_a_stage_that_is_not_opened_yet_has_the_name_of_its_first_step(self, run, parcels):
        parcels.start("o-1")
        parcels.claim("o-1", "reserve")
        output = '{"receipt":"r"}'
        parcels.log.complete_step("o-1", "reserve", token="reserve", output=output, link="")
        (listed,) = json.loads(run("list", "--json").stdout)["sagas"]
        assert listed["record"] == "score"

    def test_stats_count_the_items_of_a_step_together(self, run, parcels):
        parcels.be_stuck("o-1", at=(1,))
        parcels.be_stuck("o-2", at=(3,))
        standing = json.loads(run("stats", "--json").stdout)["standing"]
        assert [(each["record"], each["count"]) for each in standing] == [("ship:undo", 2)]

    def test_what_is_stuck_at_the_same_step_is_counted_whatever_the_item(self, run, parcels):
        parcels.be_stuck("o-1", at=(1,))
        parcels.be_stuck("o-2", at=(3,))
        shown = run("explain", "o-1").output
        assert "Stuck at ship:undo too: 1. To try all of them again:" in shown
        assert "retry --saga fulfilment --step ship:undo" in shown


class TestActs:
    def test_one_item_is_skipped_or_all_that_failed(self, run, parcels):
        parcels.be_stuck("o-1", parcels=5, at=(1, 2, 4))
        assert run("skip", "o-1", "ship[2]", *YES).exit_code == 0
        assert "It is stuck now" not in run("skip", "o-1", "ship", *YES).output
        assert parcels.log.read_status("o-1") is SagaStatus.COMPENSATED

    @pytest.mark.parametrize(
        ("step", "why"),
        [
            ("ship", "ship needs its output, a list of Receipt; or name one item, as ship[1]"),
            ("ship[1]", "ship[1] is running"),
            ("ship[3]", "ship[3] does not come yet, or there is no such item"),
            ("ship[9]", "ship[9] does not come yet, or there is no such item"),
            ("pick[1]", "it has no step pick[1]"),
            ("shop", "it has no step shop"),
        ],
    )
    def test_a_skip_that_cannot_be_says_why(self, run, parcels, step, why):
        parcels.ship_first("o-1")
        parcels.claim("o-1", "ship[1]")
        refused = run("skip", "o-1", step, *YES, "--output", '{"receipt":"r"}')
        assert refused.exit_code == Exit.REFUSED
        assert why in refused.output

    def test_sagas_are_skipped_by_the_step_of_their_items(self, run, parcels):
        parcels.be_stuck("o-1", at=(1,))
        parcels.be_stuck("o-2", at=(3,))
        assert run("skip", "ship", "--yes", *YES).exit_code == 0
        assert {parcels.log.read_status(each) for each in ("o-1", "o-2")} == {"compensated"}

    def test_a_retry_begins_all_that_failed_anew(self, run, parcels):
        parcels.be_stuck("o-1", parcels=5, at=(1, 2, 4))
        assert run("retry", "o-1", *YES).exit_code == 0
        assert {*parcels.log.examine_saga("o-1").remaining} == {
            "ship[1]:undo",
            "ship[2]:undo",
            "ship[4]:undo",
        }

    def test_a_pause_stops_the_branches_and_a_resume_lets_them_go_on(self, run, parcels):
        parcels.ship_first("o-1")
        assert run("pause", "o-1", *YES).exit_code == 0
        assert "\n  It is paused.\n" in run("explain", "o-1").output
        assert run("resume", "o-1", *YES).exit_code == 0
        parcels.advance("o-1")
        parcels.do("o-1", "ship[1]", "ship[2]", "ship[3]", "bill")
        assert parcels.log.read_status("o-1") is SagaStatus.COMPLETED
