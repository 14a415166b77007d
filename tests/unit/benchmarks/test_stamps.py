"""When sagas came to their last step, as their processes note it."""

import time

import pytest

from benchmarks import stamps
from benchmarks.stamps import PLACE, StampFile, stamp


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv(PLACE, str(tmp_path / "stamps"))
    stamps._file.cache_clear()
    yield StampFile(tmp_path / "stamps")
    stamps._file.cache_clear()


def test_stamps_are_read_in_their_order_from_any_on(file):
    before = time.monotonic()
    for number in (3, 1, 2):
        stamp(f"order-{number}")
    assert file.count() == 3
    assert [each.number for each in file.read(0)] == [3, 1, 2]
    assert [each.number for each in file.read(2)] == [2]
    assert all(before <= each.at <= time.monotonic() for each in file.read(0))


def test_waiting_ends_with_the_last_one_or_when_none_comes_any_more(file):
    stamp("order-1")
    file.wait_for(1, timeout=1.0)
    with pytest.raises(TimeoutError, match="1 of 2 sagas ended"):
        file.wait_for(2, timeout=0.05)
