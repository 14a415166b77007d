"""What docs/from-celery.md shows as today's code, of which `test_celery_page` makes `tasks` and `clients`."""

from functools import partial

import clients
import pytest
from celery import Celery
from models import Order

import tasks

app = Celery("today", broker="memory://", backend="cache+memory://", include=["tasks"])
app.set_default()
app.conf.task_always_eager = True


@pytest.fixture(autouse=True)
def calls(monkeypatch):
    """Keep what is asked of other systems."""
    asked = []

    def call(client, act, **data):
        asked.append(act)
        if act == "charge":
            raise clients.Declined("no")
        return act != "label"

    monkeypatch.setattr(clients.Client, "call", call)
    return asked


ACTS = {
    "1": partial(tasks.place_order, "order-1"),
    "4": partial(tasks.book_sale.delay, "order-1"),
    "5": partial(tasks.pack_order, "order-1", ["tea", "cup"]),
    "5, in chunks": partial(tasks.pack_many, ["tea", "cup"]),
    "6": partial(tasks.view, None),
    "7": partial(tasks.ask_later, "order-1"),
    "9": partial(tasks.approve, None, "order-1"),
    "10": tasks.settle_day.delay,
    "12": partial(tasks.close_month, ["order-1"]),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_it_is_celery(act):
    act()


def test_2_the_error_callback_undoes_what_it_knows_nothing_of(calls, monkeypatch):
    def fails(order_id):
        raise OSError("cut")

    monkeypatch.setattr(tasks.charge, "run", fails)
    with pytest.raises(OSError, match="cut"):  # an eager chain's
        tasks.place_order_or_undo("order-1")
    assert calls == ["refund", "send"]


def test_3_a_declined_card_is_tried_six_times(calls):
    tasks.charge_with_retries.delay("order-1")
    assert calls == ["charge"] * 6


def test_8_the_polling_ends_after_so_many_times(calls):
    assert tasks.fetch_label.delay("order-1").failed()
    assert calls == ["label"] * 121


def test_9_and_11_orders_are_looked_for_in_the_table():
    Order.objects.filter.return_value = [Order()]
    tasks.expire_orders()
    tasks.resume_orders()
