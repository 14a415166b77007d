"""The nightly settlement, rehearsed."""

from datetime import UTC, date, datetime

import pytest

from amends import Refused
from amends.testing import Rehearsal
from sagas.settlement import day_before, nightly_settlement, settlement_saga
from tasks.settlement import LedgerDiffers, SettledOrders, Settlement

SETTLED = SettledOrders(settlement_id="s-1", orders=3, charged="59.70")
DAY = 86400.0


@pytest.fixture
def nights():
    """Rehearse the nights after a Friday's noon, before the clock is put forward."""
    with Rehearsal(now=datetime(2027, 3, 26, 12, tzinfo=UTC).timestamp()) as rehearsal:
        rehearsal.at(settlement_saga, "settle_orders").stub(SETTLED)
        rehearsal.at(settlement_saga, "check_settlement").stub(None)
        rehearsal.use(nightly_settlement)
        yield rehearsal


def settled(rehearsal):
    """Return the days that were settled, in order."""
    return [call.request.day for call in rehearsal.calls if call.path == "settle_orders"]


def test_each_night_settles_the_day_that_has_ended():
    first, second = nightly_settlement.between(
        datetime(2027, 3, 27, tzinfo=UTC), datetime(2027, 3, 28, 12, tzinfo=UTC)
    )
    assert [day_before(each).day for each in (first, second)] == [
        date(2027, 3, 26),
        date(2027, 3, 27),
    ]
    assert nightly_settlement.id_of(second) == "settlement-20270328T003000Z"


def test_a_settlement_that_the_ledger_contradicts_is_taken_back():
    with Rehearsal() as rehearsal:
        rehearsal.at(settlement_saga, "settle_orders").returns(SETTLED)
        rehearsal.at(settlement_saga, "settle_orders:undo").returns(None)
        rehearsal.at(settlement_saga, "check_settlement").raises(LedgerDiffers("59.70 and 39.80"))
        handle = rehearsal.run(settlement_saga, Settlement(day=date(2027, 1, 31)))
        assert handle.outcome == "ledger_differs"
        assert rehearsal.undone == ["settle_orders"]


def test_three_nights_settle_three_days(nights):
    nights.advance(3 * DAY)
    assert settled(nights) == [date(2027, 3, day) for day in (26, 27, 28)]
    at = [datetime.fromtimestamp(call.at, UTC) for call in nights.calls[::2]]
    assert [each.hour for each in at] == [
        0,
        0,
        23,
    ]  # half past one in Berlin, whose clock was put forward
    state = nightly_settlement.state()
    assert (state.last, state.counts["fired"]) == ("settlement-20270328T233000Z", 3)
    assert settlement_saga.get(state.last).outcome == "completed"


def test_nights_of_a_weekend_without_workers_are_made_up_for(nights):
    nights.clock.advance(2 * DAY)
    nights.advance(0)
    assert settled(nights) == [date(2027, 3, 26), date(2027, 3, 27)]


def test_a_night_waits_until_an_operator_has_mended_the_one_before(nights):
    nights.at(settlement_saga, "check_settlement").raises(LedgerDiffers("59.70 and 39.80"))
    nights.at(settlement_saga, "settle_orders:undo").raises(Refused("it is paid out"))
    nights.advance(2 * DAY)
    assert settled(nights) == [date(2027, 3, 26)]
    first = settlement_saga.get(nightly_settlement.state().last)
    assert first.status == "stuck"
    first.skip("settle_orders:undo")
    nights.advance(0)
    assert settled(nights) == [date(2027, 3, 26), date(2027, 3, 27)]
