"""Rows are forgotten by age, in batches, and never below the least age."""

import pytest

from amends.barrier import BarrierBusy, forget, undoing
from amends.barrier.retention import AGE, DAY, LEAST_AGE
from amends.errors import Refused
from tests.support.meetings import Meeting

COUNT = "SELECT count(*) FROM amends_barrier"


@pytest.fixture(autouse=True)
def _no_rows(receiver):
    with receiver.transaction() as connection:
        receiver.execute(connection, "DELETE FROM amends_barrier")


@pytest.fixture
def clock(monkeypatch):
    """Give a clock that a test moves, by `clock.now`."""

    class Clock:
        now = 1_800_000_000.0

        def time(self):
            return self.now

    clock = Clock()
    for module in ("block", "retention"):
        monkeypatch.setattr(f"amends.barrier.{module}.time", clock)
    return clock


def forgotten(receiver, **options):
    with receiver.transaction() as connection:
        return forget(connection, **options)


def count(receiver):
    with receiver.transaction() as connection:
        return receiver.execute(connection, COUNT)[0][0]


def test_rows_and_tombstones_go_after_a_year_and_not_before(receiver, clock, key):
    receiver.act(key)
    receiver.undo(f"{key}:null")
    clock.now += AGE
    assert forgotten(receiver) == 0
    assert receiver.act(key) == {"receipt": key}
    clock.now += 1
    assert forgotten(receiver) == 2
    assert count(receiver) == 0


def test_the_age_counts_from_the_undo(receiver, clock, key):
    receiver.act(key)
    clock.now += AGE - 1
    receiver.undo(key)
    clock.now += AGE - 1
    assert forgotten(receiver) == 0
    with pytest.raises(Refused):
        receiver.act(key)


def test_a_batch_has_so_many_rows_the_oldest_first(receiver, clock, key):
    for number in range(5):
        receiver.act(f"{key}:{number}")
        clock.now += 1
    clock.now += AGE
    assert forgotten(receiver, limit=2) == 2
    with receiver.transaction() as connection:
        kept = receiver.execute(connection, "SELECT idempotency_key FROM amends_barrier")
    assert sorted(row[0] for row in kept) == [f"{key}:{number}" for number in (2, 3, 4)]
    assert [forgotten(receiver, limit=2) for _ in range(3)] == [2, 1, 0]


def test_a_row_that_is_undone_while_it_is_to_be_forgotten_is_kept(receiver, clock, key):
    receiver.act(key)
    clock.now += AGE + 1
    undone, deleted = Meeting(receiver).of(receiver.undo, lambda _key: forgotten(receiver), key)
    assert (undone.result(), deleted.result()) == (True, 0)
    assert count(receiver) == 1


def test_a_younger_age_than_the_least_is_refused_unless_told(receiver, clock, key):
    receiver.act(key)
    clock.now += 20 * DAY
    with pytest.raises(
        ValueError, match="may be that of a saga that still runs: keep it for 8,380,800 s"
    ):
        forgotten(receiver, older_than=LEAST_AGE - 1)
    assert count(receiver) == 1
    assert forgotten(receiver, older_than=15 * DAY, least=14 * DAY) == 1


def test_a_row_that_goes_while_a_duplicate_looks_for_it_is_told(receiver, monkeypatch, key):
    monkeypatch.setattr("amends.barrier.block._insert", lambda *_: False)
    with pytest.raises(BarrierBusy, match="forgotten at this moment"):
        receiver.act(key)
    with receiver.transaction() as connection, undoing(connection, key) as took_effect:
        assert not took_effect
