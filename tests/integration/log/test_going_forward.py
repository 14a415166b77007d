"""A saga in the log on its way forward, transition by transition."""

import json

import pytest

from amends.log.answers import Advance, AtRest, GoOn, Publish, RetryAfter, Run
from amends.log.in_flight import Running, Waiting
from amends.log.starts import Started
from tests.support.clock import Since, redis_now
from tests.support.log_view import view_of
from tests.support.sagas.trip import trip_saga


def test_a_start_numbers_its_messages_from_one(journey):
    assert journey.started == Started(1)
    assert journey.field("messages") == "4"


def test_a_new_saga_is_pending_indexed_and_due(journey):
    keys = view_of(journey.log).keys_of(journey.id)
    assert journey.status == "pending"
    assert journey.client.zscore(keys[4], journey.id) is not None
    assert journey.client.zscore(keys[2], journey.id) is not None


def test_a_claim_brings_the_input_and_the_outputs_that_it_needs(journey):
    journey.claim("check_traveller")
    journey.complete("check_traveller")
    journey.claim("travel")
    journey.complete("travel", output='{"ticket":"T1"}')
    answer = journey.claim("postcard")
    assert answer.sources == {
        "input": {"trip_id": journey.id, "nights": 1},
        "travel": {"ticket": "T1"},
    }
    journey.complete("postcard")
    assert journey.claim("hotel").sources.keys() == {"input"}


def test_a_worker_that_does_not_know_the_definition_gets_it_with_its_claim(journey):
    other = type(journey.log)(journey.client)
    answer = other.claim_step(journey.id, "check_traveller", token="t", owner="o", retries=0)
    assert isinstance(answer, Run)
    assert answer.itinerary == trip_saga.itinerary


def test_a_completed_step_lets_its_chain_go_on_where_the_next_link_is_what_remains(journey):
    journey.claim("check_traveller")
    assert journey.complete("check_traveller", link="travel") == GoOn()


def test_a_completed_step_asks_for_an_advance_where_its_chain_leads_elsewhere(journey):
    journey.claim("check_traveller")
    assert journey.complete("check_traveller", link="hotel") == Advance(5)


def test_a_completed_step_asks_for_an_advance_where_its_chain_has_ended(journey):
    journey.claim("check_traveller")
    assert journey.complete("check_traveller").said == "advance"


def test_a_repeated_result_gets_its_first_answer_and_is_recorded_once(journey):
    journey.claim("check_traveller")
    first = journey.complete("check_traveller", link="travel")
    assert journey.complete("check_traveller", link="travel") == first
    assert journey.field("1.a") == "1"
    assert journey.events().count("step.completed check_traveller") == 1


def test_the_last_step_ends_the_saga_in_the_same_script(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.claim("hotel")
    assert journey.complete("hotel") == AtRest()
    assert (journey.status, journey.field("outcome")) == ("completed", "completed")
    keys = view_of(journey.log).keys_of(journey.id)
    assert journey.client.zscore(keys[2], journey.id) is None
    indexed = [
        key.rpartition(":")[2] for key in keys[4:10] if journey.client.zscore(key, journey.id)
    ]
    assert indexed == ["completed"]


def test_a_failure_that_is_passed_over_leaves_the_saga_going_forward(journey):
    journey.do("check_traveller", "travel")
    journey.lose("postcard")
    assert (journey.status, journey.field("outcome")) == ("running", None)
    assert journey.remaining() == ["hotel"]


def test_a_retry_counts_a_try_and_an_attempt(journey):
    journey.claim("check_traveller")
    assert journey.retry("check_traveller") == RetryAfter(1)
    assert journey.retry("check_traveller") == RetryAfter(1)
    assert (journey.field("1.a"), journey.field("1.r")) == ("1", "1")


def test_a_deferral_counts_a_try_and_no_attempt(journey):
    journey.claim("check_traveller")
    journey.retry("check_traveller", cost="nothing", unknown=False)
    assert (journey.field("1.a"), journey.field("1.r")) == (None, "1")


def test_a_dispatch_numbers_all_that_remains_and_tells_the_tries_of_each(journey):
    journey.claim("check_traveller")
    since = Since(journey.client)
    journey.retry("check_traveller", wait=5.0)
    answer = journey.log.dispatch_saga(journey.id, longest_wait=300.0)
    assert isinstance(answer, Publish)
    assert answer.number == 5
    assert answer.records == [("check_traveller", 1), ("travel", 0), ("postcard", 0), ("hotel", 0)]
    assert answer.wait in since.left(5)


def test_a_wait_that_is_too_long_for_a_message_is_left_to_the_log(journey):
    journey.claim("check_traveller")
    since = Since(journey.client)
    journey.retry("check_traveller", wait=500.0)
    assert journey.log.dispatch_saga(journey.id, longest_wait=300.0) is None
    assert due_in(journey) in since.left(500)


def test_a_dispatch_of_an_owned_saga_tells_who_has_it(journey):
    since = Since(journey.client)
    journey.claim("check_traveller", "mine")
    answer = journey.log.dispatch_saga(journey.id, longest_wait=300.0)
    assert isinstance(answer, Running)
    assert (answer.path, answer.token, answer.attempts) == ("check_traveller", "mine", 0)
    assert answer.time_left in since.left(75)


def look(journey, *, sent_ago=None, is_alone=True):
    """Look at a saga, alone in its shard by default: the more are due there, the later each is looked at again."""
    saga, due = journey.saga_key, journey.due_key
    if is_alone:
        journey.client.zrem(due, "nobody", *(set(journey.client.zrange(due, 0, -1)) - {journey.id}))
    if sent_ago is not None:
        journey.client.hset(saga, "sent", int((redis_now(journey.client) - sent_ago) * 1000))
    return journey.log.dispatch_saga(journey.id, longest_wait=300.0, only_look=True)


def due_in(journey):
    due = journey.client.zscore(journey.due_key, journey.id) / 1000
    return due - redis_now(journey.client)


class About:
    """Some seconds, as a machine tells them that was busy with something else since."""

    def __init__(self, journey):
        self._client = journey.client
        self._began = journey.client.time()[0]

    def __call__(self, seconds):
        return pytest.approx(seconds, abs=2 + 2 * (self._client.time()[0] - self._began))


def test_a_look_leaves_alone_what_was_just_published(journey):
    since = Since(journey.client)
    assert look(journey, sent_ago=0) is None
    assert due_in(journey) in since.left(10)


def test_a_look_tells_of_a_message_that_should_have_arrived_and_publishes_nothing(journey):
    since = Since(journey.client)
    waiting = look(journey, sent_ago=11)
    assert isinstance(waiting, Waiting)
    assert (waiting.path, waiting.is_overdue, waiting.times) == ("check_traveller", False, 1)
    assert redis_now(journey.client) - waiting.sent_at in since.gone(11)
    assert (waiting.number, waiting.is_advance) == (1, False)
    assert journey.field("messages") == "4"
    assert due_in(journey) in since.left(15)
    assert look(journey, sent_ago=61).is_overdue


@pytest.mark.parametrize(
    ("sent_ago", "again_in"), [(11, 15), (50, 10), (80, 20), (300, 75), (480, 120), (9000, 120)]
)
def test_the_longer_a_message_stands_the_later_it_is_looked_at_again(journey, sent_ago, again_in):
    about = About(journey)
    look(journey, sent_ago=sent_ago)
    assert due_in(journey) == about(again_in)


def test_hastening_brings_forward_what_is_due_much_later_and_that_alone(journey):
    due, about = journey.due_key, About(journey)
    for seconds, is_hastened in ((3600, True), (60, False)):
        journey.client.zadd(due, {journey.id: (journey.client.time()[0] + seconds) * 1000})
        journey.log.maintenance.hasten_sagas(100_000, beyond=120.0)
        assert due_in(journey) == about(0 if is_hastened else seconds)


def test_the_patience_with_a_message_doubles_with_each_that_was_published(journey):
    look(journey, sent_ago=11)
    journey.remaining()  # it was lost, and is published again
    assert look(journey, sent_ago=15) is None
    assert not look(journey, sent_ago=61).is_overdue
    assert look(journey, sent_ago=121).is_overdue
    journey.do("check_traveller")
    assert look(journey, sent_ago=61).is_overdue  # it is another message


def test_a_dispatch_in_place_of_the_chains_next_link_is_the_first_message(journey):
    journey.do("check_traveller")
    for _ in range(3):
        journey.remaining()
    assert look(journey, sent_ago=11).times == 1


def test_what_was_taken_and_put_back_is_due_at_once_if_it_is_alive(journey):
    due = journey.due_key
    journey.log.maintenance.put_back([journey.id, "nobody"])
    assert due_in(journey) <= 1
    assert journey.client.zscore(view_of(journey.log).keys_of("nobody")[2], "nobody") is None
    journey.client.zadd(due, {journey.id: 1})
    journey.log.maintenance.put_back([journey.id])
    assert journey.client.zscore(due, journey.id) == 1


def test_the_more_sagas_wait_the_less_often_each_is_looked_at(journey):
    due, about = journey.due_key, About(journey)
    others = {f"other-{n}": 4e15 for n in range(80)}
    journey.client.zadd(due, others)
    look(journey, sent_ago=61, is_alone=False)
    assert due_in(journey) == about(journey.client.zcard(due))  # one a second
    journey.client.zrem(due, *others)


def test_a_look_at_a_retry_that_is_not_due_yet_lets_it_wait(journey):
    journey.claim("check_traveller")
    since = Since(journey.client)
    journey.retry("check_traveller", wait=100.0)
    assert journey.log.dispatch_saga(journey.id, longest_wait=300.0, only_look=True) is None
    assert due_in(journey) in since.left(110)


def test_o16_take_due_takes_each_saga_once(journey):
    due = journey.due_key
    journey.client.zadd(due, {journey.id: 1})
    assert journey.id in journey.log.maintenance.take_due(lease=10.0, limit=50)
    assert journey.id not in journey.log.maintenance.take_due(lease=10.0, limit=50)
    assert journey.client.zscore(due, journey.id) > 1


def test_the_saga_s_deadline_is_due_before_anything_later(journey):
    saga, _, due, *_ = view_of(journey.log).keys_of(journey.id)
    soon = journey.client.time()[0] * 1000 + 3000
    journey.client.hset(saga, "deadline", soon)
    journey.claim("check_traveller")
    assert journey.client.zscore(due, journey.id) == soon


def test_an_error_is_kept_as_it_was_given(journey):
    journey.claim("check_traveller")
    journey.retry("check_traveller")
    assert json.loads(journey.field("1.e"))["message"] == "it did not work"
    event = journey.log.read_history(journey.id)[-1]
    assert (event.name, event.details["error"]["type"]) == ("step.retrying", "Problem")
