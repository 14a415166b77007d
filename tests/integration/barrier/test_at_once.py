"""Transactions that meet at one key, in each database: one waits until the other has ended."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from amends.barrier import block
from amends.errors import Refused
from tests.support.meetings import Meeting, RolledBackError
from tests.support.receivers import until_done


@pytest.fixture
def meeting(receiver):
    return Meeting(receiver)


def test_a_duplicate_waits_for_the_first_call_and_gets_its_answer(receiver, meeting, key):
    one, two = meeting.of(receiver.act, receiver.act, key)
    assert one.result() == two.result() == {"receipt": key}
    assert receiver.book(key) == ["made"]


def test_a_duplicate_makes_the_effect_if_the_first_call_was_rolled_back(receiver, meeting, key):
    one, two = meeting.of(receiver.act, receiver.act, key, fails=True)
    assert isinstance(one.exception(), RolledBackError)
    assert two.result() == {"receipt": key}
    assert receiver.book(key) == ["made"]


def test_of_two_undos_one_takes_the_effect_back(receiver, meeting, key):
    receiver.act(key)
    one, two = meeting.of(receiver.undo, receiver.undo, key)
    assert (one.result(), two.result()) == (True, False)
    assert receiver.book(key) == ["made", "undone"]


def test_of_two_undos_that_have_both_met_the_row_one_takes_the_effect_back(
    receiver, monkeypatch, key
):
    if receiver.database != "postgresql":
        pytest.skip("its insert has the row, so that no other one meets it meanwhile")
    receiver.act(key)
    have_met, insert = threading.Barrier(2), block._insert

    def insert_and_meet(*arguments):
        is_new = insert(*arguments)
        have_met.wait(60)
        return is_new

    monkeypatch.setattr(block, "_insert", insert_and_meet)
    with ThreadPoolExecutor(2) as pool:
        undone = [pool.submit(receiver.undo, key) for _ in range(2)]
    assert sorted(each.result() for each in undone) == [False, True]
    assert receiver.book(key) == ["made", "undone"]


def test_an_undo_takes_the_effect_back_if_the_other_undo_was_rolled_back(receiver, meeting, key):
    receiver.act(key)
    one, two = meeting.of(receiver.undo, receiver.undo, key, fails=True)
    assert isinstance(one.exception(), RolledBackError)
    assert two.result() is True
    assert receiver.book(key) == ["made", "undone"]


def test_an_undo_waits_for_a_call_that_is_open_and_undoes_it(receiver, meeting, key):
    one, two = meeting.of(receiver.act, receiver.undo, key)
    assert (one.result(), two.result()) == ({"receipt": key}, True)
    assert receiver.book(key) == ["made", "undone"]


def test_an_undo_of_a_call_that_was_rolled_back_leaves_a_tombstone(receiver, meeting, key):
    _, two = meeting.of(receiver.act, receiver.undo, key, fails=True)
    assert two.result() is False
    with pytest.raises(Refused):
        receiver.act(key)


def test_a_call_waits_for_an_undo_that_is_open_and_is_refused(receiver, meeting, key):
    _, two = meeting.of(receiver.undo, receiver.act, key)
    assert isinstance(two.exception(), Refused)
    assert receiver.book(key) == []


def test_a_call_takes_effect_if_the_null_undo_was_rolled_back(receiver, meeting, key):
    _, two = meeting.of(receiver.undo, receiver.act, key, fails=True)
    assert two.result() == {"receipt": key}
    assert receiver.book(key) == ["made"]


def test_an_open_call_is_in_no_other_keys_way(receiver, key):
    if receiver.database == "sqlite":
        pytest.skip("SQLite has one writer at a time, whatever it writes")
    with ThreadPoolExecutor(1) as pool:
        receiver.act(key, lambda: pool.submit(receiver.act, f"{key}:2").result(timeout=60))
    assert receiver.book(f"{key}:2") == ["made"]


@pytest.mark.parametrize("seed", range(3))
def test_many_calls_and_undos_at_once_make_one_effect_at_most_and_leave_none(receiver, key, seed):
    chance = random.Random(seed)  # noqa: S311 - no secret

    def act(number):
        at = f"{key}:{number}"
        try:
            return until_done(receiver.act, at) == {"receipt": at}
        except Refused:
            return None

    def undo(number):
        return until_done(receiver.undo, f"{key}:{number}")

    todo = [(call, number) for number in range(4) for call in (act, act, act, undo, undo)]
    chance.shuffle(todo)
    with ThreadPoolExecutor(8) as pool:
        did = [pool.submit(call, number) for call, number in todo]
    told = [
        (call, number, future.result()) for (call, number), future in zip(todo, did, strict=True)
    ]
    for number in range(4):
        undone = [result for call, at, result in told if (call, at) == (undo, number)]
        made = [result for call, at, result in told if (call, at) == (act, number) and result]
        assert receiver.book(f"{key}:{number}") == (["made", "undone"] if made else [])
        assert undone.count(True) == (1 if made else 0)
