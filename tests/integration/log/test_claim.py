"""The claim table of the design, row by row: the first row that fits answers."""

import uuid
from dataclasses import replace

import pytest

from amends.definition.script_plan import script_plan
from amends.log.answers import Done, Run, Stop
from tests.support.claims import change_claim
from tests.support.clock import Since
from tests.support.log_view import keys_like
from tests.support.sagas.fulfilment import fulfilment_saga
from tests.support.sagas.trip import trip_saga


def stops(answer) -> str:
    assert isinstance(answer, Stop), answer
    return answer.reason


class TestNoSuchSagaOrNoMoreOfIt:
    def test_an_unknown_saga_stops_the_message_and_nothing_is_created(self, journey):
        journey.id = "never-started"
        assert "no such saga" in stops(journey.claim("check_traveller"))
        assert not keys_like(journey.client, "*never-started*")

    def test_an_unknown_step_stops_the_message(self, journey):
        assert "no such step" in stops(journey.claim("chek_traveller"))
        assert "no such step" in stops(journey.claim("check_traveller:undo"))
        assert "no such step" in stops(journey.claim("hotel:fallback"))

    @pytest.mark.parametrize("saga", [trip_saga, fulfilment_saga], ids=["steps", "stages"])
    def test_a_path_of_two_lines_is_no_step(self, log, saga):
        saga_id = uuid.uuid4().hex
        log.starts.start_saga(saga_id, saga.itinerary, "{}")
        _, first, second, *_ = script_plan(saga.itinerary).split("\n")
        two_lines = f"{first}\n{second.partition('|')[0]}"
        claim = log.claim_step(saga_id, two_lines, token="t", owner="", retries=0)
        assert stops(claim) == "the saga has no such step, or is not at its stage"

    def test_an_ended_saga_stops_the_message(self, journey):
        journey.do("check_traveller", "travel", "postcard", "hotel")
        assert journey.status == "completed"
        assert "completed" in stops(journey.claim("hotel", "late"))

    def test_a_stuck_saga_stops_the_message(self, journey):
        turn_back(journey)
        journey.do("hotel:undo")
        journey.lose("travel:undo")
        assert journey.status == "stuck"
        assert "stuck" in stops(journey.claim("travel:undo", "late", retries=9))


class TestRunningUnderThisToken:
    def test_a_repeated_claim_gets_its_first_answer(self, journey):
        first = journey.claim("check_traveller", "mine")
        again = journey.claim("check_traveller", "mine")
        assert isinstance(first, Run)
        assert (
            replace(again, saga_time_left=first.saga_time_left, time_left=first.time_left) == first
        )
        assert journey.events().count("step.started check_traveller") == 1

    def test_the_token_that_the_message_brings_lets_it_take_that_claims_place(self, journey):
        journey.claim("check_traveller", "unanswered")
        assert isinstance(journey.claim("check_traveller", "next", brought="unanswered"), Run)
        assert journey.complete("check_traveller", "unanswered").said == "late"
        assert journey.complete("check_traveller", "next", link="travel").said == "go"

    def test_any_of_the_tokens_that_it_brings_will_do(self, journey):
        journey.claim("check_traveller", "first")
        assert "is running" in stops(journey.claim("check_traveller", "x", brought="second,fir"))
        assert isinstance(journey.claim("check_traveller", "x", brought="first,second"), Run)

    def test_who_takes_its_place_has_all_of_the_attempts_time(self, journey):
        journey.claim("check_traveller", "unanswered")
        saga = journey.saga_key
        change_claim(journey.client, saga, at=1, given_up_at=1)
        since = Since(journey.client)
        answer = journey.claim("check_traveller", "next", brought="unanswered")
        assert answer.time_left in since.left(75)
        assert journey.log.dispatch_saga(journey.id, longest_wait=300.0).age in since.gone(0)

    def test_a_brought_token_lets_one_in_only_once(self, journey):
        journey.claim("check_traveller", "unanswered")
        journey.claim("check_traveller", "next", brought="unanswered")
        assert "is running" in stops(
            journey.claim("check_traveller", "third", brought="unanswered")
        )


class TestRunningUnderAnotherToken:
    def test_the_same_record_stops_a_second_message(self, journey):
        journey.claim("check_traveller", "one")
        assert "check_traveller is running" in stops(journey.claim("check_traveller", "two"))

    def test_any_other_record_of_the_saga_stops_it_too(self, journey):
        journey.do("check_traveller")
        journey.claim("travel", "one")
        assert "travel is running" in stops(journey.claim("hotel", "two"))
        assert "travel is running" in stops(journey.claim("check_traveller", "three"))


class TestFinished:
    def test_done_lets_the_chain_go_on_while_nothing_after_it_was_claimed(self, journey):
        journey.do("check_traveller")
        assert journey.claim("check_traveller", "again") == Done()

    def test_done_stops_once_something_after_it_was_claimed(self, journey):
        journey.do("check_traveller", "travel")
        assert "finished" in stops(journey.claim("check_traveller", "again"))

    def test_done_stops_while_what_comes_after_it_waits_for_a_retry(self, journey):
        journey.do("check_traveller")
        journey.claim("travel")
        journey.retry("travel")
        assert "finished" in stops(journey.claim("check_traveller", "again"))

    def test_a_failure_that_is_passed_over_lets_the_chain_go_on(self, journey):
        journey.do("check_traveller", "travel")
        journey.lose("postcard", unknown=True)
        assert journey.claim("postcard", "again") == Done()
        journey.claim("hotel")
        journey.retry("hotel")
        assert "finished" in stops(journey.claim("postcard", "again"))

    def test_a_failure_that_switched_to_the_fallback_stops(self, journey):
        journey.do("check_traveller")
        journey.lose("travel")
        assert "finished: failed" in stops(journey.claim("travel", "again", retries=9))

    def test_a_done_undo_lets_the_chain_go_on(self, journey):
        turn_back(journey)
        journey.do("hotel:undo")
        assert journey.claim("hotel:undo", "again") == Done()
        journey.claim("travel:undo")
        journey.retry("travel:undo")
        assert "finished" in stops(journey.claim("hotel:undo", "again"))

    def test_an_undo_that_failed_for_good_lets_the_others_go_on(self, journey):
        turn_back(journey)
        journey.lose("hotel:undo")
        assert journey.claim("hotel:undo", "again") == Done()

    def test_a_step_that_was_done_before_the_saga_turned_stops(self, journey):
        turn_back(journey)
        assert "finished" in stops(journey.claim("hotel", "again"))


class TestNotTheFirstOfWhatRemains:
    def test_a_later_step_stops(self, journey):
        assert "check_traveller comes first" in stops(journey.claim("travel"))

    def test_an_undo_stops_while_the_saga_goes_forward(self, journey):
        journey.do("check_traveller", "travel")
        assert "postcard comes first" in stops(journey.claim("travel:undo"))

    def test_a_step_stops_once_the_saga_goes_backward(self, journey):
        journey.do("check_traveller")
        journey.lose("travel", unknown=True, refused=True)
        assert "travel:undo comes first" in stops(journey.claim("hotel"))

    def test_an_undo_stops_before_the_undo_of_what_started_later(self, journey):
        turn_back(journey)
        assert "hotel:undo comes first" in stops(journey.claim("travel:undo"))

    def test_a_fallback_stops_before_its_primary_has_failed(self, journey):
        journey.do("check_traveller")
        assert "travel comes first" in stops(journey.claim("travel:fallback"))

    def test_a_fallback_stops_before_its_primary_is_voided(self, journey):
        journey.do("check_traveller")
        journey.lose("travel", unknown=True)
        assert "travel:undo comes first" in stops(journey.claim("travel:fallback"))


class TestPending:
    def test_a_message_older_than_the_last_attempt_stops(self, journey):
        journey.claim("check_traveller")
        assert journey.retry("check_traveller").tries == 1
        assert "older" in stops(journey.claim("check_traveller", "old", retries=0))

    def test_the_message_of_the_retry_runs(self, journey):
        journey.claim("check_traveller")
        journey.retry("check_traveller")
        answer = journey.claim("check_traveller", "new", retries=1)
        assert isinstance(answer, Run)
        assert (answer.attempts, answer.tries) == (1, 1)

    def test_the_first_message_to_arrive_runs_and_the_saga_with_it(self, journey):
        assert journey.status == "pending"
        assert isinstance(journey.claim("check_traveller"), Run)
        assert journey.status == "running"

    def test_a_claim_is_due_in_ten_seconds(self, journey):
        before = int(journey.client.time()[0])
        journey.claim("check_traveller")
        due = journey.client.zscore(journey.due_key, journey.id)
        assert before + 10 <= due / 1000 <= int(journey.client.time()[0]) + 11

    def test_a_claim_whose_time_is_short_is_due_when_it_is_up(self, journey, monkeypatch):
        monkeypatch.setattr(journey.log, "_give_up_after", -58.0)
        before = int(journey.client.time()[0])
        journey.claim("check_traveller")
        due = journey.client.zscore(journey.due_key, journey.id)
        assert before + 2 <= due / 1000 <= int(journey.client.time()[0]) + 3


def turn_back(journey) -> None:
    """Go forward as far as the hotel, then back: the hotel and the travel are to be undone."""
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel", unknown=True)
