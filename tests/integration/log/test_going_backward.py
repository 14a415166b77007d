"""A saga in the log on its way backward, and between two channels."""

from amends.log.answers import AtRest, GoOn
from tests.support.log_view import keys_like


def test_a_final_failure_turns_the_saga_in_the_same_script(journey):
    journey.do("check_traveller", "travel", "postcard")
    assert journey.lose("hotel", unknown=True).said == "advance"
    assert (journey.status, journey.field("outcome")) == ("compensating", "lost")
    assert journey.remaining() == ["hotel:undo", "travel:undo"]


def test_what_certainly_did_not_happen_is_not_undone(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel")
    assert journey.field("4.s") == "failed"
    assert journey.remaining() == ["travel:undo"]


def test_with_nothing_to_undo_the_saga_ends_in_the_same_script(journey):
    assert journey.lose("check_traveller") == AtRest()
    assert journey.status == "compensated"


def test_one_attempt_that_nobody_knows_of_makes_the_step_unknown(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.claim("hotel")
    journey.retry("hotel", unknown=True)
    journey.claim("hotel", retries=1)
    journey.fail("hotel", unknown=False)
    assert journey.field("4.s") == "unknown"
    assert journey.remaining() == ["hotel:undo", "travel:undo"]


def test_an_undo_gets_the_output_of_what_it_undoes(journey):
    journey.do("check_traveller")
    journey.claim("travel")
    journey.complete("travel", output='{"ticket":"T1"}')
    journey.do("postcard")
    journey.lose("hotel")
    answer = journey.claim("travel:undo")
    assert answer.compensated_output == {"ticket": "T1"}
    assert answer.sources == {"input": {"trip_id": journey.id, "nights": 1}}
    assert answer.saga_time_left is None


def test_the_last_undo_ends_the_saga(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel")
    journey.claim("travel:undo")
    assert journey.complete("travel:undo") == AtRest()
    assert journey.status == "compensated"
    assert journey.events()[-1] == "saga.finished"


def test_an_undo_that_fails_for_good_lets_the_chain_go_on_and_the_saga_is_stuck(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel", unknown=True)
    assert journey.lose("hotel:undo", link="travel:undo") == GoOn()
    journey.do("travel:undo")
    assert (journey.status, journey.field("reason")) == ("stuck", "hotel:undo failed for good")
    assert journey.field("ended") is None


def test_a_failure_of_the_primary_switches_to_the_fallback(journey):
    journey.do("check_traveller")
    journey.lose("travel")
    assert journey.status == "running"
    assert journey.remaining() == ["travel:fallback", "postcard", "hotel"]


def test_an_unknown_primary_is_voided_first(journey):
    journey.do("check_traveller")
    journey.lose("travel", unknown=True)
    assert journey.remaining() == ["travel:undo", "travel:fallback", "postcard", "hotel"]
    journey.claim("travel:undo")
    assert journey.complete("travel:undo", link="travel:fallback") == GoOn()


def test_a_refusal_does_not_switch(journey):
    journey.do("check_traveller")
    journey.lose("travel", refused=True)
    assert journey.status == "compensated"


def test_what_the_fallback_gave_is_the_step_s_output(journey):
    journey.do("check_traveller")
    journey.lose("travel")
    journey.claim("travel:fallback")
    journey.complete("travel:fallback", output='{"ticket":"by train"}')
    assert journey.claim("postcard").sources["travel"] == {"ticket": "by train"}


def test_a_failure_of_both_channels_turns_the_saga(journey):
    journey.do("check_traveller")
    journey.lose("travel", unknown=True)
    journey.do("travel:undo")
    journey.lose("travel:fallback", unknown=True)
    assert journey.remaining() == ["travel:fallback:undo"]


def test_a_void_that_fails_for_good_bars_the_fallback_and_leaves_the_saga_stuck(journey):
    journey.do("check_traveller")
    journey.lose("travel", unknown=True)
    journey.lose("travel:undo")
    assert journey.field("2f.s") is None
    assert (journey.status, journey.field("outcome")) == ("stuck", "lost")


def test_both_channels_are_undone_the_fallback_first(journey):
    journey.do("check_traveller")
    journey.lose("travel", unknown=True)
    journey.do("travel:undo", "travel:fallback", "postcard")
    journey.lose("hotel")
    assert journey.remaining() == ["travel:fallback:undo"]


def test_a_saga_past_its_deadline_turns_when_it_is_looked_at(journey):
    journey.do("check_traveller", "travel")
    journey.claim("postcard")
    journey.client.hset(journey.saga_key, "deadline", 1)
    running = journey.log.dispatch_saga(journey.id, longest_wait=300.0)
    assert running.path == "postcard"
    assert (journey.status, journey.field("outcome")) == ("compensating", "timed_out")
    assert journey.complete("postcard").said == "advance"
    assert journey.remaining() == ["travel:undo"]


def test_s6_an_attempt_that_fails_after_the_saga_has_turned_gets_no_other(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.claim("hotel")
    journey.client.hset(journey.saga_key, "deadline", 1)
    journey.log.dispatch_saga(journey.id, longest_wait=300.0)
    assert journey.retry("hotel", unknown=True).said == "advance"
    assert journey.retry("hotel", unknown=True).said == "advance"
    assert journey.remaining() == ["hotel:undo", "travel:undo"]


def test_o6_a_result_after_the_claim_was_lost_is_an_event_alone(journey):
    journey.claim("check_traveller", "old")
    journey.claim("check_traveller", "new", brought="old")
    before = journey.log.read_saga(journey.id).fields
    assert journey.complete("check_traveller", "old").said == "late"
    assert journey.retry("check_traveller", "old").said == "late"
    assert journey.fail("check_traveller", "old").said == "late"
    assert journey.log.read_saga(journey.id).fields == before
    assert journey.events()[-3:] == ["step.late check_traveller"] * 3


def test_s17_a_result_for_an_unknown_saga_creates_no_key(journey):
    journey.id = "unheard-of"
    assert journey.complete("check_traveller").said == "late"
    assert journey.retry("check_traveller").said == "late"
    assert journey.fail("check_traveller").said == "late"
    assert not keys_like(journey.client, "*unheard-of*")


def test_repeated_failures_under_one_token_get_their_first_answer(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.claim("hotel")
    first = journey.fail("hotel", unknown=True)
    again = journey.fail("hotel", unknown=True)
    assert (first.said, again.said) == ("advance", "advance")
    assert journey.events().count("step.failed hotel") == 1
    assert journey.field("4.a") == "1"
