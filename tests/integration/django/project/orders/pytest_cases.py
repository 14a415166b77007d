"""The same with pytest-django."""

import pytest

from orders.rehearsal_cases import place


@pytest.mark.django_db
def test_what_is_captured_and_executed_starts(rehearsal, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        handle = place(1)
        assert rehearsal.calls == []
    assert handle.status == "completed"


@pytest.mark.django_db(transaction=True)
def test_a_commit_starts(rehearsal):
    assert place(1).status == "completed"
    assert rehearsal.done == ["reserve"]
