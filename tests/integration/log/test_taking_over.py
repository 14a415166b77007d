"""A sweep takes a claim over from an owner that died, and ends its attempt."""

import pytest

from tests.support.claims import change_claim


@pytest.fixture
def held(journey):
    """Claim the first step of a saga under the token ``dead``."""
    journey.claim("check_traveller", "dead")
    return journey


def test_what_the_owner_says_then_is_too_late(held):
    assert held.take_over("check_traveller", "sweep", "dead")
    assert held.complete("check_traveller", "dead").said == "late"
    assert held.retry("check_traveller", "sweep").said == "retry"


def test_it_leaves_owner_and_time_as_they_were(held):
    saga = held.saga_key
    change_claim(held.client, saga, at=1, given_up_at=2)
    held.take_over("check_traveller", "sweep", "dead")
    claim = held.log.read_saga(held.id).records["check_traveller"].claim
    assert (claim.token, claim.owner.worker) == ("sweep", "owner")
    assert (claim.claimed_at, claim.given_up_at) == (0.001, 0.002)


def test_a_repeated_one_answers_as_the_first(held):
    assert held.take_over("check_traveller", "sweep", "dead")
    assert held.take_over("check_traveller", "sweep", "dead")


def test_of_two_sweeps_one_has_it(held):
    assert held.take_over("check_traveller", "one", "dead")
    assert not held.take_over("check_traveller", "two", "dead")


def test_it_takes_no_other_claim(held):
    assert not held.take_over("check_traveller", "sweep", "another")
    assert not held.take_over("travel", "sweep", "dead")
    assert held.complete("check_traveller", "dead", link="travel").said == "go"


@pytest.mark.parametrize("end", ["complete", "retry", "fail"])
def test_a_claim_that_has_ended_is_not_taken_over(held, end):
    getattr(held, end)("check_traveller", "dead")
    before = held.events()
    assert not held.take_over("check_traveller", "sweep", "dead")
    assert held.events() == before


def test_it_writes_no_event(held):
    before = held.events()
    held.take_over("check_traveller", "sweep", "dead")
    assert held.events() == before
