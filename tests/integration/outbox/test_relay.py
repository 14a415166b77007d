"""The relay delivers what was left, once for each saga, and passes over what cannot be delivered."""

import contextlib
import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from amends import SagaStatus, UnknownSaga, get
from amends.errors import LogUnavailable
from amends.log.saga_log import log_of
from amends.outbox import delivery, table
from amends.outbox import relay as relay_module
from amends.outbox.entry import Entry
from amends.outbox.relay import LEASE, Relay
from tests.support.engine_saga import Job, job_saga


class Moved:
    """A clock that a test moves."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self):
        return self.seconds


def leave(shop, *saga_ids, document=None, saga="job", namespace=""):
    """Write entries as a process does that is killed after its commit."""
    for saga_id in saga_ids:
        text = Job(job_id=saga_id).model_dump_json()
        entry = Entry.of(saga_id, saga, text, at=None, after=None)
        if document is not None:
            entry = Entry(saga_id=saga_id, saga=saga, document=document)
        with shop.database.transaction() as connection:
            table.write(connection, entry, namespace=namespace)


def is_known(saga_id):
    with contextlib.suppress(UnknownSaga):
        return get(saga_id).status is SagaStatus.PENDING
    return False


def test_it_delivers_what_was_left_and_deletes_it(app, shop, relay, saga_id):
    ids = [f"{saga_id}-{n}" for n in range(3)]
    leave(shop, *ids)
    relay.run_once()
    assert all(map(is_known, ids))
    assert shop.left() == []


def test_it_leaves_a_fresh_entry_to_its_own_process(app, shop, saga_id):
    leave(shop, saga_id)
    Relay(app, shop.database).run_once()
    assert not is_known(saga_id)


def test_it_leaves_what_another_app_wrote_for_its_own_log(app, shop, relay, saga_id):
    leave(shop, saga_id, namespace="other")
    relay.run_once()
    assert [each for each, _ in shop.left()] == [saga_id]
    assert not is_known(saga_id)


def test_what_was_delivered_and_not_deleted_is_the_same_saga(app, shop, relay, saga_id):
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    leave(shop, saga_id)
    relay.run_once()
    assert shop.left() == []
    events = [event.name for event in get(saga_id).history()]
    assert events.count("saga.started") == 1


def test_relays_that_look_at_once_claim_each_entry_once(app, shop, saga_id, monkeypatch):
    ids = [f"{saga_id}-{n}" for n in range(30)]
    leave(shop, *ids)
    started, both_look = [], threading.Barrier(2)
    monkeypatch.setattr(delivery, "start_entry", lambda _, entry: started.append(entry.saga_id))

    def look():
        relay = Relay(app, shop.database, now=lambda: time.time() + 30.0)
        both_look.wait(60)
        with contextlib.suppress(Exception):  # SQLite lets one write at a time
            relay.run_once()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: look(), range(2)))
    assert len(started) == len(set(started))
    assert set(started) <= set(ids)


def test_relays_that_have_read_the_same_row_claim_it_once(app, shop, saga_id):
    leave(shop, saga_id)
    with shop.database.transaction() as connection:
        [(entry_id,)] = connection.rows("SELECT entry_id FROM amends_outbox", {})
        [read] = table.find(connection, [entry_id])
    how = {"now": time.time() + 30.0, "until": time.time() + 90.0, "limit": 10}
    how |= {"namespace": "", "sagas": ["job"]}
    with shop.database.transaction() as connection:
        assert [each.saga_id for each in table.claim(connection, **how)] == [saga_id]
    with shop.database.transaction() as connection:
        values = {"entry_id": entry_id, "tries": read.tries, "until": time.time() + 90.0}
        assert connection.run(connection.statements.claim, values) == 0


def test_a_relay_that_died_has_its_entries_taken_over_after_its_lease(app, shop, saga_id):
    leave(shop, saga_id)
    clock = Moved(time.time() + 30.0)
    with shop.database.transaction() as connection:  # and no more is heard of it
        until = clock.seconds + LEASE
        how = {"namespace": "", "sagas": ["job"], "limit": 10}
        assert table.claim(connection, now=clock.seconds, until=until, **how)
    relay = Relay(app, shop.database, now=clock)
    relay.run_once()
    assert not is_known(saga_id)
    clock.seconds += LEASE
    relay.run_once()
    assert is_known(saga_id)


NEWER = json.dumps({"format": 2, "input": "{}", "at": None, "after": None})
BAD = json.dumps({"format": 1, "input": '{"amount": "much"}', "at": None, "after": None})
SECRET = json.dumps(
    {"format": 1, "input": '{"job_id": 7, "amount": "secret"}', "at": None, "after": None}
)


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"document": NEWER}, "has format 2, and this release reads 1"),
        ({"document": BAD}, "amount: Input should be a valid integer"),
        ({"document": "no JSON"}, "Expecting value"),
    ],
    ids=["format", "input", "document"],
)
def test_an_entry_that_cannot_be_delivered_keeps_its_error_and_blocks_none(
    app, shop, relay, saga_id, how, error
):
    leave(shop, f"{saga_id}-bad", **how)
    leave(shop, f"{saga_id}-good")
    relay.run_once()
    assert is_known(f"{saga_id}-good")
    [(left, told)] = shop.left()
    assert left == f"{saga_id}-bad"
    assert error in told


def test_an_id_of_another_saga_is_kept_with_that_error(app, shop, relay, saga_id):
    job_saga.start(Job(job_id="another"), saga_id=saga_id)
    leave(shop, saga_id)
    relay.run_once()
    [(left, told)] = shop.left()
    assert left == saga_id
    assert "was already started, as 'job', and not with this definition and input" in told


def test_the_error_of_an_input_does_not_quote_it(app, shop, relay, saga_id):
    leave(shop, saga_id, document=SECRET)
    relay.run_once()
    [(_, told)] = shop.left()
    assert "amount" in told
    assert "secret" not in told


def test_it_tries_again_after_growing_waits(app, shop, saga_id, monkeypatch):
    leave(shop, saga_id)
    clock, looks = Moved(time.time() + 30.0), []

    def fail(*_):
        looks.append(clock.seconds)
        raise ZeroDivisionError

    monkeypatch.setattr(delivery, "start_entry", fail)
    relay = Relay(app, shop.database, now=clock)
    for _ in range(1500):
        relay.run_once()
        clock.seconds += 1.0
        if len(looks) == 8:
            break
    waits = [round(b - a) for a, b in itertools.pairwise(looks)]
    assert waits == [5, 10, 20, 40, 80, 160, 300]


def test_an_entry_that_is_mended_is_delivered(app, shop, relay, saga_id):
    leave(shop, saga_id)
    shop.change(written_at=0.0)
    relay.run_once()
    shop.change(written_at=time.time(), due_at=0)
    relay.run_once()
    assert is_known(saga_id)
    assert shop.left() == []


def test_with_the_log_away_all_is_put_back_without_an_error(app, shop, relay, saga_id, monkeypatch):
    ids = [f"{saga_id}-{n}" for n in range(3)]
    leave(shop, *ids)

    def fail(*_):
        raise LogUnavailable("it is away")

    with monkeypatch.context() as outage:
        outage.setattr(delivery, "start_entry", fail)
        with pytest.raises(LogUnavailable):
            relay.run_once()
    assert sorted(shop.left()) == [(each, "") for each in ids]
    shop.change(due_at=0)
    relay.run_once()
    assert all(map(is_known, ids))


def test_an_outage_does_not_hide_what_fails(app, shop, relay, saga_id, monkeypatch):
    leave(shop, saga_id, document=BAD)
    relay.run_once()
    shop.change(due_at=0)

    def fail(*_):
        raise LogUnavailable("it is away")

    monkeypatch.setattr(delivery, "start_entry", fail)
    with pytest.raises(LogUnavailable):
        relay.run_once()
    [(_, error)] = shop.left()
    assert "amount: Input should be a valid integer" in error


def test_what_may_have_run_and_been_removed_is_not_started_again(app, shop, relay, saga_id):
    leave(shop, saga_id)
    shop.change(written_at=time.time() - app.conf.get("amends_retention", 7 * 86400.0) - 60.0)
    relay.run_once()
    [(left, told)] = shop.left()
    assert left == saga_id
    assert "longer than amends_retention: it may have been delivered" in told
    assert not is_known(saga_id)


def test_an_old_entry_whose_saga_is_remembered_was_delivered_and_is_deleted(
    app, shop, relay, saga_id
):
    leave(shop, saga_id)
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    get(saga_id).cancel()
    kept_for = app.conf.get("amends_retention", 7 * 86400.0)
    log_of(app).maintenance.remove_sagas([saga_id], kept_for=0.0, remembers=True)
    shop.change(written_at=time.time() - kept_for - 60.0)
    relay.run_once()
    assert shop.left() == []
    assert get(saga_id).status is SagaStatus.COMPENSATED


def test_a_full_batch_says_that_more_is_due(app, shop, relay, saga_id, monkeypatch):
    monkeypatch.setattr(relay_module, "BATCH", 2)
    leave(shop, *(f"{saga_id}-{n}" for n in range(3)))
    assert relay.run_once()
    assert not relay.run_once()
    assert shop.left() == []


def test_the_backlog_counts_both_and_names_what_fails(app, shop, relay, saga_id):
    leave(shop, f"{saga_id}-bad", document=BAD)
    relay.run_once()
    leave(shop, f"{saga_id}-1", f"{saga_id}-2")
    with shop.database.transaction() as connection:
        backlog = table.measure(connection, namespace="", now=time.time() + 100.0)
    assert (backlog.waiting, backlog.failing) == (2, 1)
    assert backlog.oldest_failing >= backlog.oldest_waiting >= 100.0
    assert [each for each, _ in backlog.errors] == [f"{saga_id}-bad"]


def test_a_relay_that_is_slow_puts_back_what_its_lease_does_not_last_for(
    app, shop, saga_id, monkeypatch
):
    ids = [f"{saga_id}-{n}" for n in range(6)]
    leave(shop, *ids)
    clock, started = Moved(time.time() + 30.0), []

    def start_slowly(_, entry):
        started.append(entry.saga_id)
        clock.seconds += LEASE / 4

    monkeypatch.setattr(delivery, "start_entry", start_slowly)
    relay = Relay(app, shop.database, now=clock)
    assert relay.run_once()
    assert len(started) == 3
    assert len(shop.left()) == 3
    clock.seconds += 1.0
    assert not relay.run_once()
    assert sorted(started) == ids
    assert shop.left() == []
