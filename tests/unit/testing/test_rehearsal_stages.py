"""Rehearsing a saga with stages of several branches."""

from collections import Counter

import pytest

from amends import NotDone, Refused
from amends.log.saga_log import SagaLog
from amends.testing import Rehearsal
from tests.support.sagas.fulfilment import (
    Receipt,
    fulfilment_saga,
    order_of,
    parcels_saga,
    world,
)


@pytest.fixture(autouse=True)
def _world():
    world.reset()


def play(rehearsal, *, parcels=3, **how):
    return rehearsal.run(fulfilment_saga, order_of(parcels), **how)


def test_all_branches_take_effect(rehearsal):
    assert play(rehearsal).outcome == "completed"
    assert rehearsal.done == [
        *("reserve", "score", "pick", "authorize"),
        *("ship[1]", "ship[2]", "ship[3]", "bill"),
    ]
    assert rehearsal.undone == []


def test_an_item_that_fails_has_the_others_undone_and_those_not_begun_left_out(rehearsal):
    rehearsal.at(fulfilment_saga, "ship[2]").raises(Refused("no"))
    assert play(rehearsal, parcels=4).outcome == "not_shipped"
    assert "ship[4]" not in [call.path for call in rehearsal.calls]
    undone = rehearsal.undone
    assert "ship[1]" in undone
    assert "ship[2]" not in undone
    assert undone[-1] == "reserve"
    assert undone.index("ship[1]") < undone.index("pick")


def test_a_branch_that_fails_has_its_own_steps_undone_in_reverse(rehearsal):
    rehearsal.at(fulfilment_saga, "authorize").raises(Refused("no"))
    assert play(rehearsal).outcome == "not_paid"
    assert rehearsal.undone == ["pick", "reserve"]
    rehearsal.at(fulfilment_saga, "bill").raises(Refused("no"))
    handle = rehearsal.run(fulfilment_saga, order_of(1), saga_id="second")
    assert rehearsal.undone_of(handle) == ["ship[1]", "authorize", "pick", "reserve"]


def test_a_script_of_a_step_is_played_by_each_of_its_items_from_the_beginning(rehearsal):
    rehearsal.at(fulfilment_saga, "ship").raises(NotDone("busy"))
    assert play(rehearsal).outcome == "completed"
    attempts = [(call.path, call.attempt) for call in rehearsal.calls if "ship" in call.path]
    assert sorted(attempts) == [(f"ship[{item}]", n) for item in (1, 2, 3) for n in (1, 2)]


def test_an_item_plays_its_own_script_first_and_then_that_of_all(rehearsal):
    rehearsal.at(fulfilment_saga, "ship").stub(Receipt(receipt="stubbed"))
    rehearsal.at(fulfilment_saga, "ship[2]").raises(NotDone("busy")).raises(NotDone("busy"))
    assert play(rehearsal).outcome == "not_shipped"
    assert not any(path.startswith("ship") for path in world.done if "undo" not in path)
    rehearsal.at(fulfilment_saga, "ship[2]").raises(NotDone("busy"))
    assert rehearsal.run(fulfilment_saga, order_of(2), saga_id="second").outcome == "completed"


def test_after_its_own_script_an_item_plays_what_is_left_for_all(rehearsal):
    rehearsal.at(parcels_saga, "ship").returns(Receipt(receipt="all"), times=None)
    rehearsal.at(parcels_saga, "ship[2]").raises(NotDone("busy"))
    handle = rehearsal.run(parcels_saga, order_of(2))
    assert [each.receipt for each in handle.wait().ship] == ["all", "all"]
    assert world.done == []


def test_an_action_of_all_items_happens_once_for_each(rehearsal):
    seen = []
    rehearsal.at(fulfilment_saga, "ship").before(lambda handle: seen.append(handle.status))
    rehearsal.at(fulfilment_saga, "ship[1]").before(lambda _: seen.append("own"))
    play(rehearsal)
    assert seen == ["running", "own", "running", "running"]


def test_branches_that_wait_are_played_in_the_order_of_their_times(rehearsal):
    rehearsal.at(fulfilment_saga, "ship[1]").raises(NotDone("busy", retry_after=300.0))
    rehearsal.at(fulfilment_saga, "ship[2]").raises(NotDone("busy", retry_after=100.0))
    began = rehearsal.clock.now
    assert play(rehearsal).outcome == "completed"
    again = [(c.path, c.at - began) for c in rehearsal.calls if c.path.startswith("ship")]
    assert [path for path, _ in again] == ["ship[1]", "ship[2]", "ship[2]", "ship[3]", "ship[1]"]
    assert [at for _, at in again] == pytest.approx([0, 0, 100, 100, 300])


def test_a_saga_that_turns_does_not_wait_for_retries_that_it_gave_up(rehearsal):
    rehearsal.at(fulfilment_saga, "ship[1]").raises(NotDone("busy", retry_after=300.0))
    rehearsal.at(fulfilment_saga, "ship[2]").raises(Refused("no"))
    began = rehearsal.clock.now
    assert play(rehearsal).outcome == "not_shipped"
    assert rehearsal.clock.now == began


@pytest.mark.parametrize("act", ["cancel", "retry"])
def test_an_act_reaches_branches_that_wait(rehearsal, act):
    rehearsal.at(fulfilment_saga, "ship").raises(NotDone("busy", retry_after=300.0))
    handle = play(rehearsal, within=1.0)
    assert handle.status == "running"
    assert rehearsal.clock.now < rehearsal.calls[0].at + 300.0
    getattr(handle, act)()
    assert handle.outcome == {"cancel": "cancelled", "retry": "completed"}[act]


def test_an_act_on_one_branch_leaves_no_other_behind(rehearsal):
    rehearsal.at(fulfilment_saga, "ship").raises(NotDone("busy", retry_after=300.0))
    handle = play(rehearsal, parcels=2, within=1.0)
    handle.skip("ship[1]", output=Receipt(receipt="by hand"))
    assert handle.outcome == "completed"
    assert [call.path for call in rehearsal.calls].count("ship[2]") == 2


def test_a_cancel_in_the_middle_of_a_stage_lets_nothing_more_begin(rehearsal):
    rehearsal.at(fulfilment_saga, "ship[1]").before(lambda handle: handle.cancel())
    handle = play(rehearsal)
    assert (handle.status, handle.outcome) == ("compensated", "cancelled")
    assert "ship[2]" not in rehearsal.done
    assert rehearsal.undone[0] == "ship[1]"


def test_a_stuck_item_can_be_retried_or_skipped(rehearsal):
    rehearsal.at(fulfilment_saga, "bill").raises(Refused("no"), times=None)
    rehearsal.at(fulfilment_saga, "ship[2]:undo").raises(OSError("away"))
    for number, act in enumerate(
        (lambda h: h.retry(), lambda h: h.skip("ship[2]"), lambda h: h.skip("ship"))
    ):
        rehearsal.at(fulfilment_saga, "ship[2]:undo").raises(OSError("away")) if number else None
        handle = play(rehearsal, saga_id=f"o-{number}")
        assert handle.status == "stuck"
        assert handle.snapshot().steps["ship[2]"].state == "stuck"
        act(handle)
        assert handle.status == "compensated"


def test_an_item_or_a_step_that_is_not_there_is_refused(rehearsal):
    for path in ("ship[2]:undo:undo", "reserve[1]", "shipp"):
        with pytest.raises(ValueError, match="no record"):
            rehearsal.at(fulfilment_saga, path)


@pytest.mark.parametrize("ends", ["completed", "not_shipped", "cancelled"])
def test_however_many_items_there_are_the_whole_saga_is_read_as_often(monkeypatch, ends):
    """What reads all items costs what their number is: once for each item would cost the square of it."""
    counts = []
    for parcels in (5, 40):
        reads = Counter()
        for name in ("dispatch_saga", "read_saga", "examine_saga"):
            count_calls(monkeypatch, name, reads)
        with Rehearsal() as rehearsal:
            rehearsal.at(parcels_saga, "ship").raises(NotDone("busy"))
            last = rehearsal.at(parcels_saga, f"ship[{parcels}]")
            if ends == "not_shipped":
                last.raises(NotDone("busy")).raises(Refused("no"))
            elif ends == "cancelled":
                last.after(lambda handle: handle.cancel(), attempt=2)
            assert rehearsal.run(parcels_saga, order_of(parcels)).outcome == ends
        counts.append(dict(reads))
    assert counts[0] == counts[1]


def count_calls(monkeypatch, name, counts):
    method = getattr(SagaLog, name)

    def counted(*args, **kwargs):
        counts[name] += 1
        return method(*args, **kwargs)

    monkeypatch.setattr(SagaLog, name, counted)


def test_a_thousand_items_are_no_endless_retry(rehearsal):
    rehearsal.at(parcels_saga, "ship[1000]").raises(Refused("no"))
    handle = rehearsal.run(parcels_saga, order_of(1_000))
    assert handle.outcome == "not_shipped"
    assert len(rehearsal.undone) == 999
