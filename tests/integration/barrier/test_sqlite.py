"""SQLite's one writer: who begins with the write lock waits for it, who has read before may not have it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from amends.barrier import BarrierBusy, barrier
from tests.support.receivers import READ, DjangoReceiver, SQLAlchemyReceiver, begin_immediate

PATIENCE = 0.05


@pytest.fixture(params=["session", "django"])
def receiver(request, tmp_path):
    """Give a receiver that waits for the write lock for a moment only."""
    file = tmp_path / "receiver.sqlite3"
    if request.param == "django":
        engine = "django.db.backends.sqlite3"
        options = {"timeout": PATIENCE}
        yield DjangoReceiver("impatient", ENGINE=engine, NAME=str(file), OPTIONS=options)
        return
    receiver = SQLAlchemyReceiver(f"sqlite:///{file}", connect_args={"timeout": PATIENCE})
    yield receiver
    receiver.close()


def test_who_waits_for_the_write_lock_too_long_is_told_to_repeat_the_transaction(receiver, key):
    def meanwhile():
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(receiver.act, key).exception()
        assert isinstance(told, BarrierBusy)
        assert str(told) == (
            f"another transaction was in the way of the barrier's row of '{key}' (database is locked):"
            " roll back, and repeat the whole transaction"
        )

    receiver.act(key, meanwhile)
    assert receiver.act(key) == {"receipt": key}


def read_then_act(receiver, key):
    """Make an effect after a look at the database; between the two another writer commits."""
    with receiver.transaction() as session:
        receiver.execute(session, READ.format(key))
        with ThreadPoolExecutor(1) as pool:
            between = pool.submit(receiver.act, f"{key}:2").exception()
        with barrier(session, key) as first:
            assert first
        return between


def test_a_transaction_that_began_with_a_look_is_told_to_repeat_itself(tmp_path, key):
    engine = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "deferred.sqlite3")}
    receiver = DjangoReceiver("deferred", **engine)
    receiver.execute("deferred", "PRAGMA journal_mode = WAL")
    with pytest.raises(BarrierBusy):
        read_then_act(receiver, key)
    assert receiver.act(key) == {"receipt": key}


def test_a_transaction_that_began_immediate_is_in_the_others_way_and_not_they_in_its(tmp_path, key):
    file = tmp_path / "immediate.sqlite3"
    receiver = SQLAlchemyReceiver(f"sqlite:///{file}", connect_args={"timeout": PATIENCE})
    receiver.engine.dispose()
    begin_immediate(receiver.engine)
    between = read_then_act(receiver, key)
    assert isinstance(between, BarrierBusy)  # raised by the BEGIN, which is not the barrier's own
    assert receiver.act(f"{key}:2") == {"receipt": f"{key}:2"}
    receiver.close()


def test_an_engine_of_which_nobody_begins_a_transaction_is_refused(tmp_path, key):
    address = f"sqlite:///{tmp_path / 'autocommit.sqlite3'}"
    receiver = SQLAlchemyReceiver(address, connect_args={"isolation_level": None})
    with pytest.raises(RuntimeError, match="commits each statement by itself"):
        receiver.act(key)
    with receiver.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM amends_barrier")).scalar() == 0
    receiver.close()
