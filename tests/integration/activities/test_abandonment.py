"""An attempt that is broken off while its process lives is counted, and so has an end."""

import pytest

from amends.log.saga_log import SagaLog
from tests.support.engine_saga import Job, job_saga

POISON_AFTER = 5


@pytest.mark.parametrize("error", [RuntimeError("a bug"), MemoryError()], ids=repr)
def test_s18_a_result_that_cannot_be_written_though_the_log_is_there_is_not_called_for_for_ever(
    work, saga_id, monkeypatch, error
):
    written = SagaLog.complete_step

    def write(self, called_for, path, **result):
        if called_for == saga_id and path == "a":
            raise error
        return written(self, called_for, path, **result)

    monkeypatch.setattr(SagaLog, "complete_step", write)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.wait(timeout=60).outcome == "no_a"
    assert work.records(saga_id) == ["a"] * POISON_AFTER + ["a:undo"]
    told = [e.details["error"]["type"] for e in handle.history() if "error" in e.details]
    assert told == ["WorkerLostError"] * POISON_AFTER
    assert handle.snapshot().steps["a"].attempts == POISON_AFTER
    assert f"broken off: {type(error).__name__}" in handle.snapshot().steps["a"].error
