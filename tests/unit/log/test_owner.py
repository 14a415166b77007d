"""Owners of claims as the log keeps them."""

import os

import pytest

from amends.log.owner import Owner, enter_worker, this_worker


@pytest.mark.parametrize("message", ["order-1.2.reserve", "a:b", ""])
def test_an_owner_is_read_as_it_was_written(message):
    owner = Owner.here(message)
    assert Owner.parse(owner.format()) == owner
    assert (owner.worker, owner.pid) == (this_worker().name, str(os.getpid()))


def test_what_runs_without_a_worker_has_no_owner():
    assert Owner.parse("") is None


def test_a_new_worker_owns_nothing_of_the_one_before():
    before = Owner.here("m")
    enter_worker("")
    assert Owner.here("m") != before
