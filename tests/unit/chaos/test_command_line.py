"""What `make chaos` takes, and what it says of wrong input."""

import pytest

from tests.chaos.__main__ import parse


def test_settings_come_from_the_environment_and_have_defaults(monkeypatch):
    for name in ("SEED", "ORDERS", "MINUTES", "POOL", "BROKER"):
        monkeypatch.delenv(name, raising=False)
    given = parse([])
    assert (given.orders, given.minutes, given.pool, given.broker) == (200, 2.0, "prefork", "redis")
    assert isinstance(given.seed, int)
    for name, value in {"SEED": "5", "ORDERS": "7", "MINUTES": "0.5", "POOL": "threads"}.items():
        monkeypatch.setenv(name, value)
    given = parse([])
    assert (given.seed, given.orders, given.minutes, given.pool) == (5, 7, 0.5, "threads")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SEED", "x", "'x' is no seed"),
        ("ORDERS", "0", "give the number of orders, 1 or more"),
        ("ORDERS", "many", "give the number of orders"),
        ("MINUTES", "-1", "give the minutes"),
        ("MINUTES", "nan", "give the minutes"),
        ("POOL", "gevent", "choose prefork or threads"),
        ("BROKER", "kafka", "choose redis or rabbitmq"),
    ],
)
def test_wrong_input_is_refused_with_what_to_give(monkeypatch, capsys, name, value, says):
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        parse([])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err
