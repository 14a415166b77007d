"""One entry that is refused, or a log that is away for some, keeps the relay from no other."""

import time

import pytest

from amends.errors import ConfigurationError, LogUnavailable
from amends.outbox import delivery, table
from amends.outbox.relay import Relay
from tests.integration.outbox.test_relay import Moved, is_known, leave


@pytest.fixture
def clock():
    return Moved(time.time() + 30.0)


@pytest.fixture
def relay(app, shop, clock):
    return Relay(app, shop.database, now=clock)


@pytest.fixture
def raised(monkeypatch):
    """Give a dict of what the start of each saga is to raise."""
    errors, start = {}, delivery.start_entry

    def start_or_raise(app, entry):
        if entry.saga_id in errors:
            raise errors[entry.saga_id]
        start(app, entry)

    monkeypatch.setattr(delivery, "start_entry", start_or_raise)
    return errors


def test_a_log_that_is_away_for_one_is_asked_for_the_others(app, shop, relay, raised, saga_id):
    leave(shop, f"{saga_id}-0", f"{saga_id}-1", f"{saga_id}-2")
    raised[f"{saga_id}-0"] = LogUnavailable("its node is away")
    relay.run_once()
    assert shop.left() == [(f"{saga_id}-0", "")]
    raised.clear()


def test_what_the_log_is_away_for_comes_after_the_others(
    shop, relay, clock, raised, saga_id, monkeypatch
):
    monkeypatch.setattr("amends.outbox.relay.BATCH", 2)
    bad, good = [f"{saga_id}-0", f"{saga_id}-1"], [f"{saga_id}-2", f"{saga_id}-3"]
    raised.update(dict.fromkeys(bad, LogUnavailable("their node is away")))
    leave(shop, *bad)
    with pytest.raises(LogUnavailable):
        relay.run_once()
    leave(shop, *good)
    with shop.transaction() as connection:  # they were due later
        changed = f"UPDATE amends_outbox SET due_at = {clock.seconds + 1.0!r} WHERE saga_id"  # noqa: S608
        shop.execute(connection, f"{changed} IN ('{good[0]}', '{good[1]}')")
    clock.seconds += 2.0
    relay.run_once()
    assert sorted(shop.left()) == [(each, "") for each in bad]


def test_a_log_that_is_away_for_all_is_not_asked_for_each(app, shop, relay, saga_id, monkeypatch):
    asked = []

    def fail(_, entry):
        asked.append(entry.saga_id)
        raise LogUnavailable("it is away")

    monkeypatch.setattr(delivery, "start_entry", fail)
    leave(shop, *(f"{saga_id}-{n}" for n in range(15)))
    with pytest.raises(LogUnavailable):
        relay.run_once()
    assert len(asked) == 10
    assert {error for _, error in shop.left()} == {""}


def test_an_outage_counts_as_no_try(app, shop, relay, raised, saga_id):
    leave(shop, saga_id)
    raised[saga_id] = LogUnavailable("it is away")
    for _ in range(3):
        with pytest.raises(LogUnavailable):
            relay.run_once()
        shop.change(due_at=0)
    with shop.transaction() as connection:
        assert shop.execute(connection, "SELECT tries FROM amends_outbox") == [(0,)]


def test_a_refusal_of_one_alone_is_its_own_failure(app, shop, relay, raised, saga_id):
    leave(shop, f"{saga_id}-0", f"{saga_id}-1")
    raised[f"{saga_id}-0"] = ConfigurationError("another kind of key has its name")
    relay.run_once()
    assert shop.left() == [(f"{saga_id}-0", "another kind of key has its name")]


def test_a_refusal_of_all_is_no_failure_of_any(app, shop, relay, raised, saga_id):
    ids = [f"{saga_id}-{n}" for n in range(2)]
    leave(shop, *ids)
    raised.update(dict.fromkeys(ids, ConfigurationError("no log is configured")))
    with pytest.raises(ConfigurationError):
        relay.run_once()
    assert sorted(shop.left()) == [(each, "") for each in ids]


def test_a_failure_without_words_is_a_failure(app, shop, relay, raised, saga_id):
    leave(shop, saga_id)
    raised[saga_id] = AssertionError()
    relay.run_once()
    assert shop.left() == [(saga_id, "AssertionError")]


def test_a_saga_that_this_process_does_not_define_is_left_to_others_and_named(
    app, shop, relay, saga_id
):
    leave(shop, saga_id, saga="of_another_fleet")
    relay.run_once()
    with shop.transaction() as connection:
        assert shop.execute(connection, "SELECT tries, error FROM amends_outbox") == [(0, "")]
    with shop.database.transaction() as connection:
        backlog = table.measure(connection, namespace="", now=time.time())
    assert (backlog.waiting, backlog.sagas_waiting) == (1, ("of_another_fleet",))


def test_namespaces_that_differ_in_case_are_two(app, shop, relay, saga_id):
    leave(shop, saga_id, namespace="Shop")
    app.conf.amends_namespace = "shop"
    try:
        relay.run_once()
    finally:
        app.conf.amends_namespace = None
    assert [each for each, _ in shop.left()] == [saga_id]
    assert not is_known(saga_id)


def test_the_starts_of_one_commit_go_on_past_one_that_the_log_is_away_for(
    app, shop, raised, saga_id
):
    leave(shop, *(f"{saga_id}-{n}" for n in range(3)))
    with shop.database.transaction() as connection:
        rows = connection.rows("SELECT entry_id FROM amends_outbox ORDER BY written_at", {})
        entries = table.find(connection, [entry_id for (entry_id,) in rows])
    raised[f"{saga_id}-0"] = LogUnavailable("its node is away")
    delivery.deliver_here(app, shop.database, entries)
    assert shop.left() == [(f"{saga_id}-0", "")]
