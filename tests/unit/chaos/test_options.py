"""The options of `make chaos`, and what it says of wrong input."""

import pytest
from pydantic import ValidationError

from tests.chaos.schedule import Options


def test_options_come_from_the_environment_and_have_defaults():
    given = Options.from_environment({"POOL": "", "HOME": "/"})
    assert (given.orders, given.minutes, given.pool, given.broker) == (200, 2.0, "prefork", "redis")
    assert given.saga == "order"
    assert Options.from_environment({"SAGA": "fulfilment"}).saga == "fulfilment"
    known = {"SEED": "5", "ORDERS": "7", "MINUTES": "0.5", "POOL": "threads", "BROKER": "rabbitmq"}
    given = Options.from_environment(known, outages=True)
    assert given == Options(
        seed=5, orders=7, minutes=0.5, pool="threads", broker="rabbitmq", outages=True
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEED", "x"),
        ("SEED", "-1"),
        ("ORDERS", "0"),
        ("ORDERS", "many"),
        ("MINUTES", "-1"),
        ("MINUTES", "nan"),
        ("POOL", "eventlet"),
        ("BROKER", "kafka"),
        ("SAGA", "holiday"),
    ],
)
def test_wrong_input_is_refused_by_its_name(name, value):
    with pytest.raises(ValidationError, match=f"1 validation error for Options\n{name.lower()}"):
        Options.from_environment({name: value})


def test_outages_are_of_what_orders_alone_have():
    with pytest.raises(ValidationError, match="outages are of the primary payment"):
        Options.from_environment({"SAGA": "fulfilment"}, outages=True)
