"""A database may end a transaction by itself inside of the block: then no effect may be committed without its row."""

import contextlib

import pytest
from django.db import DatabaseError
from sqlalchemy.exc import DBAPIError

from amends.barrier import barrier, undoing
from tests.support.receivers import WRITE

ENDED = "ended inside of the barrier's block|commits nothing of this transaction"


def end(receiver, connection):
    """Let the database end the transaction, as a deadlock does; the library does not know of it."""
    receiver.execute(connection, "ROLLBACK")
    receiver.execute(connection, "BEGIN")


@pytest.mark.parametrize("keeps", [True, False])
def test_an_effect_that_is_repeated_after_the_row_was_lost_is_not_committed(receiver, key, keeps):
    def receive():
        with receiver.transaction() as connection, barrier(connection, key) as first:
            end(receiver, connection)
            receiver.execute(connection, WRITE.format(key, "made"))
            if keeps:
                first.keep({"receipt": key})

    for _ in range(2):
        with pytest.raises(RuntimeError, match=ENDED):
            receive()
    assert receiver.book(key) == []
    assert receiver.act(key) == {"receipt": key}


def test_a_receiver_that_swallows_that_and_commits_has_made_no_effect(receiver, key):
    swallowed = contextlib.suppress(RuntimeError)
    with receiver.transaction() as connection, swallowed, barrier(connection, key):
        end(receiver, connection)
        receiver.execute(connection, WRITE.format(key, "made"))
    assert receiver.book(key) == []


def test_a_row_that_another_call_wrote_meanwhile_is_not_taken_for_its_own(receiver, key):
    def receive():
        with receiver.transaction() as connection, barrier(connection, key) as first:
            end(receiver, connection)
            receiver.execute(
                connection,
                f"INSERT INTO amends_barrier VALUES ('{key}', 'in_force', 'null', 1.0)",  # noqa: S608
            )
            first.keep({"receipt": key})

    with pytest.raises(RuntimeError, match=ENDED):
        receive()


@pytest.mark.parametrize("made", [True, False])
def test_an_undo_or_a_tombstone_that_was_lost_is_told(receiver, key, made):
    if made:
        receiver.act(key)

    def undo():
        with receiver.transaction() as connection, undoing(connection, key):
            end(receiver, connection)

    with pytest.raises(RuntimeError, match=ENDED):
        undo()
    assert receiver.undo(key) is made


@pytest.mark.parametrize("keeps", [True, False])
def test_an_error_that_is_caught_inside_is_told_where_it_ends_the_transaction(receiver, key, keeps):
    def receive():
        with receiver.transaction() as connection, barrier(connection, key) as first:
            receiver.execute(connection, WRITE.format(key, "made"))
            with contextlib.suppress(DBAPIError, DatabaseError):
                receiver.execute(connection, "SELECT nothing FROM nowhere")
            if keeps:
                first.keep({"receipt": key})

    if receiver.database == "postgresql":
        with pytest.raises(RuntimeError, match="commits nothing of this transaction"):
            receive()
        assert receiver.book(key) == []
    else:
        receive()
        assert receiver.book(key) == ["made"]
