"""The nightly settlement, rehearsed."""

from datetime import UTC, date, datetime

from amends.testing import Rehearsal
from sagas.settlement import day_before, nightly_settlement, settlement_saga
from tasks.settlement import LedgerDiffers, SettledOrders, Settlement

SETTLED = SettledOrders(settlement_id="s-1", orders=3, charged="59.70")


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
