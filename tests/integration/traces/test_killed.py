"""A worker is killed in a step, and another one's sweep goes on with the saga: in the same trace, whichever tool keeps it."""

import pytest

from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

ID = "killed-lingering"


def test_the_trace_goes_on(traced):
    with traced.worker("first", pool="prefork") as first:
        traced.start(ID)
        eventually(lambda: any(each.get("lingers") == ID for each in traced.notes()))
        first.kill()
    with traced.worker("second", pool="prefork", TRACED_SECOND="1"):
        traced.wait_for(ID)
        # What ended in the first worker was never told.
        eventually(lambda: tasks(traced) == ["linger", "reserve"])


def tasks(traced):
    """Name the activities in the trace of the saga's start."""
    return [each["task"] for each in traced.trace_of(ID) if each["task"] in ("linger", "reserve")]
