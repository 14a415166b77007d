"""Orders that are placed over outages, and followed until they are at rest."""

import time
from types import SimpleNamespace

import pytest

from amends import LogUnavailable
from demo.orders import plan_orders
from tests.chaos import orders
from tests.chaos.orders import Orders

PLANNED = plan_orders(2, series="t")
FIRST, SECOND = (order.id for order in PLANNED)


@pytest.fixture
def placing(monkeypatch):
    """Give orders whose saga raises what the test lists, and then starts."""
    told, raises, statuses = [], [], {}

    def start(_order, *, saga_id):
        if raises:
            raise raises.pop(0)
        return SimpleNamespace(status=statuses.setdefault(saga_id, "running"))

    monkeypatch.setattr(orders, "AGAIN", 0.0)
    monkeypatch.setattr(orders, "order_saga", SimpleNamespace(start=start))
    placing = Orders(PLANNED, lambda what, **_details: told.append(what))
    yield SimpleNamespace(orders=placing, raises=raises, statuses=statuses, told=told)
    placing.close()


def placed(placing, *planned):
    for order in planned:
        placing.orders.place(order)
    deadline = time.monotonic() + 10
    while len(placing.orders.handles) < len(planned):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_an_order_is_placed_again_until_the_log_is_back(placing):
    placing.raises += [LogUnavailable("away"), LogUnavailable("away")]
    placed(placing, PLANNED[0])
    assert placing.orders.open_ids() == [FIRST]
    assert placing.orders.raised == []


def test_what_a_start_raises_beside_that_is_kept_and_the_order_placed_again(placing):
    placing.raises.append(KeyError("x"))
    placed(placing, PLANNED[0])
    assert placing.orders.raised == ["KeyError('x')"]
    assert placing.told == ["start.raised", "order.placed"]


def test_an_order_is_open_until_its_saga_is_at_rest(placing):
    placed(placing, *PLANNED)
    for status, open_ids in (("compensating", [FIRST, SECOND]), ("stuck", [SECOND])):
        placing.orders.handles[FIRST].status = status
        placing.orders.look()
        assert placing.orders.open_ids() == open_ids
    assert not placing.orders.all_at_rest
    placing.orders.handles[SECOND].status = "completed"
    placing.orders.look()
    assert placing.orders.all_at_rest


def test_which_open_order_is_chosen_depends_on_the_draw(placing):
    assert placing.orders.choose_open(5) is None
    placed(placing, *PLANNED)
    assert [placing.orders.choose_open(draw) for draw in (4, 5)] == [FIRST, SECOND]
