"""The sagas of docs/from-celery.md, of which `test_celery_page` makes `shop` and `clients`."""

from datetime import UTC, datetime

import clients
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

import shop
from shop import Charge, Line, NotDone, Order, Refused, engine, sales

DAY = 86400.0
ORDER = Order(
    order_id="order-1", customer="ada", amount=7, lines=[Line(sku="tea"), Line(sku="cup")]
)


@pytest.fixture(autouse=True)
def calls(monkeypatch):
    """Keep what is asked of other systems, and begin without sales."""
    with Session(engine) as session, session.begin():
        session.execute(sales.delete())
    asked = []

    def call(client, act, **data):
        asked.append((client.system, act, data))
        return f"{client.system}-1"

    monkeypatch.setattr(clients.Client, "call", call)
    return asked


def sold():
    with Session(engine) as session:
        return len(session.execute(select(sales)).all())


def keys(calls, act):
    return [data["key"] for _, called, data in calls if called == act]


def test_1_an_order_of_two_clicks_is_placed_once(rehearsal, calls):
    shop.place_order(ORDER)
    shop.place_order(ORDER)
    assert rehearsal.done == ["reserve", "charge", "ship"]
    assert keys(calls, "charge") == ["order-1:charge"]


def test_2_what_may_have_happened_is_undone_by_its_key_and_the_customer_told(rehearsal, calls):
    rehearsal.at(shop.order_saga, "charge").raises(OSError("cut"), times=None)
    assert rehearsal.run(shop.order_saga, ORDER, saga_id="order-1").outcome == "unpaid"
    assert rehearsal.undone == ["charge", "reserve"]
    assert keys(calls, "refund") == ["order-1:charge"]
    assert ("mail", "send", {"text": "order-1: unpaid"}) in calls


@pytest.mark.parametrize(
    ("error", "outcome", "attempts"),
    [(clients.Declined("no"), "declined", 1), (clients.Busy("later"), "unpaid", 8)],
)
def test_3_a_declined_card_is_not_tried_again(rehearsal, monkeypatch, error, outcome, attempts):
    asked = []

    def call(client, act, **data):
        if act == "charge":
            asked.append(data["key"])
            raise error
        return ""

    monkeypatch.setattr(clients.Client, "call", call)
    assert rehearsal.run(shop.card_saga, ORDER, saga_id="order-1").outcome == outcome
    assert asked == ["order-1:charge_card"] * attempts
    assert rehearsal.undone == ["reserve"]


def test_4_a_sale_is_booked_once_and_taken_back_once(rehearsal):
    rehearsal.at(shop.sale_saga, "book_sale").loses_reply()
    booked = []
    rehearsal.at(shop.sale_saga, "ship").before(lambda _: booked.append(sold())).raises(
        Refused("no carrier")
    )
    rehearsal.at(shop.sale_saga, "book_sale:undo").loses_reply()
    assert rehearsal.run(shop.sale_saga, ORDER).outcome == "not_shipped"
    assert (booked, sold()) == ([1], 0)


def test_5_if_the_charge_is_refused_all_items_are_unpacked(rehearsal):
    rehearsal.at(shop.parcel_saga, "charge").raises(Refused("no money"))
    assert rehearsal.run(shop.parcel_saga, ORDER).outcome == "unpaid"
    assert set(rehearsal.done) == {"reserve", "score_risk", "pack[1]", "pack[2]"}
    assert set(rehearsal.undone) >= {"pack[1]", "pack[2]", "reserve"}


def test_6_an_order_that_is_written_is_started(rehearsal):
    shop.buy(ORDER)
    assert sold() == 1
    assert shop.order_saga.get("order-1").outcome == "completed"
    assert rehearsal.done == ["reserve", "charge", "ship"]


def test_7_a_review_is_asked_for_after_two_weeks(rehearsal):
    assert rehearsal.run(shop.review_saga, ORDER).outcome == "completed"
    shipped, asked = rehearsal.calls
    assert asked.at - shipped.at == pytest.approx(14 * DAY)


def test_7_an_order_of_tomorrow_can_be_cancelled_today(rehearsal):
    shop.order_ahead(ORDER, datetime.fromtimestamp(rehearsal.clock.now + DAY, UTC))
    handle = shop.order_saga.get("order-1")
    handle.cancel()
    rehearsal.advance(2 * DAY)
    assert (handle.outcome, rehearsal.done) == ("cancelled", [])


def test_8_a_label_is_asked_for_until_it_is_there_and_the_webhook_counts_once(rehearsal):
    rehearsal.at(shop.label_saga, "fetch_label").raises(NotDone("", retry_after=60.0), times=99)
    handle = rehearsal.run(shop.label_saga, ORDER, saga_id="order-1")
    assert handle.snapshot().steps["confirmation"].state == "waiting"
    shop.webhook("order-1", "t-1", "delivery-1")
    shop.webhook("order-1", "t-1", "delivery-1")
    assert handle.outcome == "completed"


def test_8_a_label_that_never_comes_gives_the_stock_back(rehearsal):
    hourly = NotDone("", retry_after=3600.0)
    rehearsal.at(shop.label_saga, "fetch_label").raises(hourly, times=None)
    assert rehearsal.run(shop.label_saga, ORDER).status == "compensated"
    assert rehearsal.undone == ["reserve"]


@pytest.mark.parametrize(
    ("granted", "outcome"), [(True, "completed"), (False, "rejected"), (None, "expired")]
)
def test_9_a_decision_or_its_time(rehearsal, granted, outcome):
    handle = rehearsal.run(shop.approval_saga, ORDER, saga_id="order-1")
    if granted is not None:
        assert shop.decide("order-1", "bob", granted=granted) == "taken"
    rehearsal.advance(2 * DAY)
    assert handle.outcome == outcome
    assert ("reserve" in rehearsal.undone) is (granted is not True)


def test_10_each_night_is_settled_once(rehearsal, calls):
    rehearsal.use(shop.nightly_settlement)
    rehearsal.advance(2 * DAY)
    settled = [data["day"] for _, act, data in calls if act == "settle"]
    assert len(settled) == len(set(settled)) == 2


def test_11_the_orders_of_a_customer_are_found(rehearsal):
    rehearsal.run(shop.tracked_saga, ORDER, saga_id="order-1")
    assert shop.orders_of("ada") == {"order-1": "completed"}
    assert shop.orders_of("bob") == {}


def test_12_a_month_waits_for_its_orders(rehearsal, calls):
    month = shop.Month(orders=[ORDER, ORDER])
    assert rehearsal.run(shop.month_saga, month, saga_id="may").outcome == "completed"
    assert sorted(keys(calls, "charge")) == ["may.order.1:charge", "may.order.2:charge"]


def test_moving_the_old_task_and_the_chain_call_under_the_key_of_the_saga(calls, monkeypatch):
    monkeypatch.setattr(shop.app.conf, "task_always_eager", True)
    shop.old_charge("order-1", 7)
    shop.place(ORDER, as_saga=False)
    assert keys(calls, "charge") == ["order-1:charge"] * 2  # as in test_1


def test_moving_the_key_of_the_chain_is_in_its_message(monkeypatch):
    monkeypatch.setattr(shop.app.conf, "broker_url", "memory://")
    shop.place(ORDER, as_saga=False)
    with shop.app.connection_for_read() as connection:
        message = connection.SimpleQueue("celery").get(block=False)
    _, _, embedded = message.payload
    assert [link["options"]["task_id"] for link in embedded["chain"]] == ["order-1:charge"]


def test_moving_a_chain_that_died_is_taken_up_where_it_stood(rehearsal):
    shop.take_up(ORDER, {"reserve": None, "charge": Charge(transaction="t-1")})
    rehearsal.at(shop.order_saga, "ship").raises(Refused("no carrier"))
    rehearsal.advance(3600.0)
    assert shop.order_saga.get("order-1").outcome == "not_shipped"
    assert rehearsal.undone == ["charge", "reserve"]
