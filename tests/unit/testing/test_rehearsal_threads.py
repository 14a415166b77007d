"""Code under test that runs in threads of a web framework's, which have no Celery app of their own."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import Celery, _state, current_app

from amends.testing import Rehearsal
from tests.support.engine_saga import Job, job_saga


@pytest.fixture
def in_thread():
    with ThreadPoolExecutor(1) as threads:
        yield lambda act: threads.submit(act).result()


def test_a_saga_that_another_thread_starts_is_rehearsed(rehearsal, in_thread):
    handle = in_thread(lambda: job_saga.start(Job(job_id="job-1"), saga_id="job-1"))
    assert rehearsal.done == ["a", "b", "c"]
    assert in_thread(lambda: handle.outcome) == handle.outcome == "completed"


def test_other_threads_have_their_app_again_afterwards(in_thread):
    app = Celery("shop", set_as_current=False)
    before = _state.default_app
    app.set_default()
    try:
        with Rehearsal(), Rehearsal():
            assert in_thread(lambda: current_app.main) == "rehearsal"
        assert in_thread(lambda: current_app.main) == "shop"
    finally:
        _state.set_default_app(before)
