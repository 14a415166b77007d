"""A finished step whose script claims the chain's next link too."""

import pytest

from amends.log.answers import Claim, Claimed, GoOn, Late, Run, Stop

MINE = Claim(token="mine", owner="boot:7:message", retries=0)
CANCEL = {"error": '{"type":"Cancelled"}'}


@pytest.fixture
def begun(journey):
    """Let a saga's first step run."""
    journey.claim("check_traveller")
    return journey


def finish(journey, claim=MINE, *, token="t", link="travel"):
    return journey.complete("check_traveller", token, link=link, claim=claim)


def claimed(journey):
    return journey.field("2.s"), journey.field("2.t"), journey.field("2.o")


def test_it_is_answered_as_a_claim_is(begun):
    run = finish(begun).run
    assert (run.itinerary.saga, run.attempts, run.tries) == ("trip", 0, 0)
    assert run.sources == begun.claim("travel", "mine").sources
    assert claimed(begun) == ("running", "mine", "boot:7:message")
    assert begun.events()[-2:] == ["step.completed check_traveller", "step.started travel"]


def test_a_worker_that_does_not_know_the_definition_gets_it(begun):
    other = type(begun.log)(begun.client)
    answer = other.complete_and_claim(
        begun.id, "check_traveller", token="t", output="null", link="travel", claim=MINE
    )
    assert answer.run.itinerary.saga == "trip"


def test_o24c_a_repeated_one_gets_its_first_answer(begun):
    first = finish(begun).run
    again = finish(begun).run
    assert (again.sources, again.attempts) == (first.sources, first.attempts)
    assert begun.events().count("step.started travel") == 1


@pytest.mark.parametrize("act", ["pause", "cancel", "deadline"])
def test_o24c_so_it_does_whatever_came_between(begun, act):
    finish(begun)
    if act == "pause":
        begun.log.control.pause_saga(begun.id, actor={})
    elif act == "cancel":
        begun.log.control.cancel_saga(begun.id, actor={}, **CANCEL)
    else:
        begun.client.hset(begun.saga_key, "deadline", 1)
        begun.log.dispatch_saga(begun.id, longest_wait=300.0)
        assert begun.status == "compensating"
    assert isinstance(finish(begun), Claimed)
    assert claimed(begun)[:2] == ("running", "mine")


def test_a_repeated_one_does_not_claim_again_what_was_taken_over(begun):
    finish(begun)
    begun.take_over("travel", "sweep", "mine")
    assert finish(begun) == GoOn()
    begun.retry("travel", "sweep", cost="death")
    assert finish(begun) == GoOn()
    assert claimed(begun)[:2] == ("pending", "sweep")


@pytest.mark.parametrize(
    ("act", "follows"), [("pause_saga", "end"), ("cancel_saga", "end"), (None, "run")]
)
def test_o9_it_claims_nothing_of_a_saga_that_was_stopped(begun, act, follows):
    if act:
        more = CANCEL if act == "cancel_saga" else {}
        getattr(begun.log.control, act)(begun.id, actor={}, **more)
    assert finish(begun).said == follows
    assert (begun.field("2.s") == "running") == (follows == "run")


def test_s9_one_that_is_late_claims_nothing(begun):
    begun.take_over("check_traveller", "sweep", "t")
    assert finish(begun) == Late()
    begun.complete("check_traveller", "sweep")
    assert finish(begun) == Late()
    assert claimed(begun)[0] is None


def test_a_link_that_does_not_come_next_is_not_claimed(begun):
    assert finish(begun, link="hotel").said == "advance"
    assert begun.field("4.s") is None


def test_a_link_of_an_older_message_is_not_claimed_before_its_wait_is_over(begun):
    begun.complete("check_traveller")
    begun.claim("travel", "earlier")
    begun.retry("travel", "earlier", wait=100.0)
    assert finish(begun) == GoOn()
    assert isinstance(begun.claim("travel", "other"), Stop)
    assert isinstance(begun.claim("travel", "other", retries=1), Run)
