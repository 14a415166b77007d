"""The cases of a barrier, one after the other, in each database and by each library."""

import contextlib

import pytest

from amends.barrier import barrier, undoing
from amends.errors import Refused
from tests.support.receivers import WRITE


class OutOfStockError(Exception):
    pass


def fail():
    raise OutOfStockError


def test_a_duplicate_makes_no_effect_and_gets_the_kept_answer(receiver, key):
    assert [receiver.act(key) for _ in range(3)] == [{"receipt": key}] * 3
    assert receiver.book(key) == ["made"]


def test_an_effect_is_undone_once(receiver, key):
    receiver.act(key)
    assert [receiver.undo(key) for _ in range(3)] == [True, False, False]
    assert receiver.book(key) == ["made", "undone"]


def test_a_null_undo_says_so_and_leaves_a_tombstone_that_refuses_the_hanging_call(receiver, key):
    assert [receiver.undo(key) for _ in range(2)] == [False, False]
    for _ in range(2):
        with pytest.raises(Refused, match=f"'{key}' was undone: nothing is done under it any more"):
            receiver.act(key)
    assert not receiver.undo(key)
    assert receiver.book(key) == []


def test_a_call_that_comes_again_after_its_undo_is_refused(receiver, key):
    receiver.act(key)
    receiver.undo(key)
    with pytest.raises(Refused):
        receiver.act(key)
    assert receiver.book(key) == ["made", "undone"]


def test_a_call_that_failed_inside_leaves_no_row_and_can_be_made_again(receiver, key):
    with pytest.raises(OutOfStockError):
        receiver.act(key, fail)
    assert receiver.book(key) == []
    assert receiver.act(key) == {"receipt": key}
    assert receiver.book(key) == ["made"]


def test_an_undo_that_failed_inside_can_be_made_again(receiver, key):
    receiver.act(key)
    with pytest.raises(OutOfStockError):
        receiver.undo(key, fail)
    assert receiver.book(key) == ["made"]
    assert receiver.undo(key)
    assert receiver.book(key) == ["made", "undone"]


def test_a_null_undo_that_failed_leaves_no_tombstone(receiver, key):
    with pytest.raises(OutOfStockError):
        receiver.undo(key, fail)
    assert receiver.act(key) == {"receipt": key}


def test_a_failure_that_the_receiver_swallows_takes_effect_and_row_back_all_the_same(receiver, key):
    swallowed = contextlib.suppress(OutOfStockError)  # and then it commits
    with receiver.transaction() as connection, swallowed, barrier(connection, key) as first:
        receiver.execute(connection, WRITE.format(key, "made"))
        fail()
    assert first
    assert receiver.book(key) == []
    assert receiver.act(key) == {"receipt": key}


@pytest.mark.parametrize("other", ["ORDER", "örder", "order:undo", "orde", "order%", "_rder"])
def test_a_key_that_looks_like_another_one_is_another_one(receiver, key, other):
    ours, theirs = f"{key}:order", f"{key}:{other}"
    receiver.act(ours)
    assert not receiver.undo(theirs)
    assert receiver.book(ours) == ["made"]
    assert receiver.undo(ours)


def test_two_keys_in_one_transaction_are_two_effects(receiver, key):
    with receiver.transaction() as connection:
        for part in ("room", "mail"):
            with barrier(connection, f"{key}:{part}") as first:
                assert first
                first.keep(part)
    with receiver.transaction() as connection:
        with undoing(connection, f"{key}:room") as took_effect:
            assert took_effect.answer == "room"
        with barrier(connection, f"{key}:mail") as again:
            assert not again
        assert again.answer == "mail"


def test_a_call_that_kept_nothing_answers_none(receiver, key):
    with receiver.transaction() as connection, barrier(connection, key) as first:
        assert first.answer is None
    with receiver.transaction() as connection, barrier(connection, key) as again:
        assert (bool(again), again.answer) == (False, None)


@pytest.mark.parametrize("answer", [None, {"id": "ä'\"%s :x", "n": [1, 2.5, None]}, "", 0, False])
def test_an_answer_is_read_as_it_was_kept(receiver, key, answer):
    with receiver.transaction() as connection, barrier(connection, key) as first:
        first.keep({"replaced": True})
        first.keep(answer)
        assert first.answer == answer
    with receiver.transaction() as connection, barrier(connection, key) as again:
        assert again.answer == answer
