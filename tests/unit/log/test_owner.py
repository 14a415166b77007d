"""Owners of claims as the log keeps them."""

import pytest

from amends.log.owner import Owner, WorkerProcess, owner_prefix


@pytest.mark.parametrize("message", ["order-1.2.reserve", "a:b", ""])
def test_an_owner_is_read_as_it_was_written(message):
    owner = Owner.parse(owner_prefix("worker", 7) + message)
    assert owner == Owner(worker="worker", pid="7", message=message)
    assert Owner.parse(owner.format()) == owner


def test_what_runs_without_a_worker_has_no_owner():
    assert Owner.parse("") is None


def test_a_new_worker_owns_nothing_of_the_one_before():
    before = owner_prefix(WorkerProcess.current.name, 7)
    WorkerProcess.enter("")
    assert owner_prefix(WorkerProcess.current.name, 7) != before
