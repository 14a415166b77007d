"""Isolation levels of PostgreSQL and MariaDB: what a duplicate meets that has looked at the database before."""

import pytest
from sqlalchemy.exc import ProgrammingError

from amends.barrier import BarrierBusy, barrier, undoing
from tests.support.receivers import READ, SQLAlchemyReceiver

STRICT = ("REPEATABLE READ", "SERIALIZABLE")


@pytest.fixture(
    scope="module",
    params=[
        ("postgres", "READ COMMITTED"),
        *(("postgres", each) for each in STRICT),
        ("mariadb", "REPEATABLE READ"),
        ("mariadb", "READ COMMITTED"),
    ],
    ids=" ".join,
)
def receiver(request):
    database, level = request.param
    driver = {"postgres": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}[database]
    address = f"{driver}://{request.getfixturevalue(database).address}"
    receiver = SQLAlchemyReceiver(address, isolation_level=level)
    receiver.is_strict = database == "postgres" and level in STRICT
    yield receiver
    receiver.close()


def act_after_a_look(receiver, key, between):
    """Make the effect in a transaction that has read before, and so, but for READ COMMITTED, has its snapshot."""
    with receiver.transaction() as session:
        receiver.execute(session, READ.format(key))
        between()
        with barrier(session, key) as first:
            return bool(first), first.answer


def test_a_duplicate_that_cannot_see_the_first_call_is_told_to_repeat_its_transaction(
    receiver, key
):
    def duplicate():
        return act_after_a_look(receiver, key, lambda: receiver.act(key))

    if receiver.is_strict:
        with pytest.raises(BarrierBusy, match=f"'{key}'.*could not serialize access") as told:
            duplicate()
        assert told.value.key == key
    assert duplicate() == (False, {"receipt": key})
    assert receiver.book(key) == ["made"]


def test_an_undo_that_cannot_see_the_other_undo_is_told_to_repeat_its_transaction(receiver, key):
    receiver.act(key)

    def undo(between=lambda: None):
        with receiver.transaction() as session:
            receiver.execute(session, READ.format(key))
            between()
            with undoing(session, key) as took_effect:
                return bool(took_effect)

    if receiver.is_strict:
        with pytest.raises(BarrierBusy, match="could not serialize access"):
            undo(lambda: receiver.undo(key))
    else:
        assert undo(lambda: receiver.undo(key)) is False
    assert undo() is False
    assert receiver.book(key) == ["made", "undone"]


def test_the_receivers_own_errors_are_its_own(receiver, key):
    def look():
        receiver.execute(session, "SELECT 1 FROM book_of_nobody")

    with (
        pytest.raises(ProgrammingError, match="book_of_nobody"),
        receiver.transaction() as session,
        barrier(session, key),
    ):
        look()
