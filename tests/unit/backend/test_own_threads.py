"""Rounds of the engine's own threads."""

import pytest

from amends.backend import own_threads
from amends.backend.own_threads import after_each_round, round_of_own_thread


@pytest.fixture
def calls(monkeypatch):
    monkeypatch.setattr(own_threads, "_closers", [])
    return []


def test_what_is_to_be_closed_is_closed_after_each_round_once(calls):
    def close():
        calls.append("closed")

    after_each_round(close)
    after_each_round(close)
    for _ in range(2):
        with round_of_own_thread():
            calls.append("round")
    assert calls == ["round", "closed"] * 2


def test_it_is_closed_after_an_error_too_and_its_own_error_stops_nothing(calls, caplog):
    after_each_round(lambda: 1 / 0)
    after_each_round(lambda: calls.append("closed"))
    with pytest.raises(KeyError), round_of_own_thread():
        raise KeyError
    assert calls == ["closed"]
    assert "ZeroDivisionError" in caplog.text
