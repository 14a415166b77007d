"""Which heartbeats let a worker judge others."""

from types import SimpleNamespace

import pytest

from amends.log.owner import WorkerProcess
from amends.worker import heartbeat
from amends.worker.heartbeat import Heartbeat


class Clocks:
    """The clock of this process, and the log's, which may be another one from some moment on."""

    here = 1_000.0
    ahead = 500.0

    def beat(self, *_, **__):
        return self.here + self.ahead


@pytest.fixture
def clocks(monkeypatch):
    clocks = Clocks()
    monkeypatch.setattr(heartbeat, "time", SimpleNamespace(monotonic=lambda: clocks.here))
    monkeypatch.setattr(WorkerProcess.current, "killed", {})
    return clocks


@pytest.fixture
def beats(clocks):
    """Return a heartbeat, and what lets it beat every 2 s for so many seconds."""
    worker = Heartbeat(SimpleNamespace(workers=SimpleNamespace(note_heartbeat=clocks.beat)), list)

    def beat_for(seconds):
        for _ in range(seconds // 2):
            clocks.here += 2.0
            worker.beat()
        return worker.may_judge()

    return beat_for


def test_a_worker_judges_after_fifteen_seconds_of_beats(beats):
    assert not beats(14)
    assert beats(4)


def test_a_worker_does_not_judge_after_a_gap(beats, clocks):
    assert beats(20)
    clocks.here += 6.0
    assert not beats(2)
    assert beats(16)


@pytest.mark.parametrize("leap", [60.0, -60.0])
def test_a_worker_does_not_judge_after_the_log_s_clock_leapt(beats, clocks, leap):
    assert beats(20)
    clocks.ahead += leap
    assert not beats(2)
    assert not beats(12)
    assert beats(4)


def test_a_clock_that_goes_a_little_wrong_keeps_nobody_from_judging(beats, clocks):
    assert beats(20)
    for _ in range(20):
        clocks.ahead += 0.5
        assert beats(2)
