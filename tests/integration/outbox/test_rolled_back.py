"""A database may roll a transaction back by itself, and then take a commit for one: that is no commit of a start."""

import contextlib
from concurrent.futures import Future

import pytest
from django.db import DatabaseError
from sqlalchemy.exc import DBAPIError

from amends import UnknownSaga, get
from amends.outbox import delivery
from tests.support.engine_saga import Job, job_saga


class AtOnce:
    """A pool that calls in the thread of its caller, so that what a commit begins is done."""

    def submit(self, act, *arguments):
        done = Future()
        done.set_result(act(*arguments))
        return done


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(delivery.threads, "_pool", AtOnce())


def start(shop, connection, saga_id):
    shop.start(connection, job_saga, Job(job_id=saga_id), saga_id=saga_id)


def is_known(saga_id):
    with contextlib.suppress(UnknownSaga):
        return bool(get(saga_id).status)
    return False


def test_a_transaction_that_the_database_ended_starts_nothing(app, shop, saga_id):
    with shop.transaction() as connection:
        start(shop, connection, saga_id)
        shop.execute(connection, "ROLLBACK")  # the library does not know of it, as after a deadlock
    assert not is_known(saga_id)


def test_an_error_that_is_caught_before_the_commit_starts_nothing_where_it_ends_the_transaction(
    app, shop, saga_id
):
    with shop.transaction() as connection:
        start(shop, connection, saga_id)
        with contextlib.suppress(DBAPIError, DatabaseError):
            shop.execute(connection, "SELECT nothing FROM nowhere")
    assert is_known(saga_id) is (shop.vendor != "postgresql")


def test_a_savepoint_that_is_rolled_back_by_hand_starts_nothing(app, shop, saga_id):
    with shop.transaction() as connection:
        shop.execute(connection, "SAVEPOINT here")
        start(shop, connection, saga_id)
        shop.execute(connection, "ROLLBACK TO SAVEPOINT here")
    assert not is_known(saga_id)
