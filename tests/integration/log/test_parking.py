"""Parked sagas: stuck until a worker can run what comes next."""

import json

import pytest

from amends.log.answers import Advance, AtRest, Late, RetryAfter
from tests.support.log_view import view_of

WHY = 'travel cannot read the stored input as Trip: "seat": Field required'
ERROR = json.dumps({"type": "UnreadableData", "message": WHY})
WORKER = "worker:1:message"


def meet_unreadable(journey, path, token="t", *, retries=0, owner=WORKER):
    """Let a worker claim a record whose input it cannot read."""
    journey.log.claim_step(journey.id, path, token=token, owner=owner, retries=retries)
    return put_off(journey, path, token)


def put_off(journey, path, token="t"):
    how = {"error": ERROR, "wait": 10.0, "unknown": False, "cost": "unreadable"}
    return journey.log.retry_step(journey.id, path, token=token, **how)


def look(journey):
    return journey.log.dispatch_saga(journey.id, longest_wait=300.0, only_look=True)


def due(journey):
    return journey.client.zscore(journey.due_key, journey.id)


def unpark(journey):
    return journey.log.unpark_saga(journey.id)


@pytest.fixture
def parked(journey):
    """Give a saga whose second step five workers could not read."""
    journey.do("check_traveller")
    answers = [meet_unreadable(journey, "travel", f"t{n}", retries=n) for n in range(5)]
    assert answers == [RetryAfter(1), RetryAfter(2), RetryAfter(3), RetryAfter(4), AtRest()]
    return journey


def test_a_saga_whose_input_several_workers_cannot_read_is_parked_and_turns_nothing_back(parked):
    assert (parked.status, parked.field("direction")) == ("stuck", "forward")
    assert parked.field("reason") == WHY
    assert parked.log.read_history(parked.id)[-1].details == {"reason": WHY}
    record = parked.log.read_saga(parked.id).records["travel"]
    assert (record.attempts, record.is_unknown, record.state) == (0, False, "pending")


def test_without_a_worker_it_is_parked_at_once_for_nobody_has_other_code(journey):
    assert meet_unreadable(journey, "check_traveller", owner="") == AtRest()
    assert journey.status == "stuck"


@pytest.mark.parametrize("tries", [1, 5])
def test_o24c_a_repeated_answer_about_an_unreadable_input_is_the_first_one(journey, tries):
    for n in range(tries):
        answer = meet_unreadable(journey, "check_traveller", f"t{n}", retries=n)
    before = journey.events()
    assert put_off(journey, "check_traveller", f"t{tries - 1}") == answer
    assert journey.events() == before


def test_a_worker_that_can_run_it_lets_it_go_on_once_and_with_a_fresh_count(parked):
    assert look(parked).path == "travel"
    assert isinstance(unpark(parked), Advance)
    assert unpark(parked) == Late()
    assert (parked.status, parked.events()[-1]) == ("running", "saga.unparked travel")
    assert meet_unreadable(parked, "travel", "again", retries=5) == RetryAfter(6)


def test_an_undo_that_cannot_be_read_parks_the_saga_before_the_earlier_undos(journey):
    journey.do("check_traveller", "travel")
    journey.log.control.cancel_saga(journey.id, error=ERROR, actor={})
    for n in range(5):
        meet_unreadable(journey, "travel:undo", f"u{n}", retries=n)
    assert (journey.status, look(journey).path) == ("stuck", "travel:undo")
    unpark(journey)
    assert (journey.status, journey.remaining()[0]) == ("compensating", "travel:undo")


def test_a_step_that_met_a_cancel_had_no_effect_for_it_was_never_called(journey):
    journey.claim("check_traveller")
    journey.log.control.cancel_saga(journey.id, error=ERROR, actor={})
    put_off(journey, "check_traveller")
    assert journey.log.read_saga(journey.id).records["check_traveller"].state == "failed"


def test_a_parked_saga_is_looked_at_ever_less_often_up_to_ten_minutes(parked):
    waits = []
    for _ in range(5):
        looked_at = view_of(parked.log).client.time()[0]
        look(parked)
        waits.append(round((due(parked) / 1000 - looked_at) / 60))
    assert waits == [2, 4, 8, 10, 10]


def test_a_parked_saga_that_is_paused_is_left_alone_until_it_is_resumed(parked):
    parked.log.control.pause_saga(parked.id, actor={})
    assert (due(parked), look(parked), unpark(parked)) == (None, None, Late())
    parked.log.control.resume_saga(parked.id, actor={})
    assert look(parked).path == "travel"


@pytest.mark.parametrize("act", ["retry_saga", "cancel_saga"])
def test_what_an_operator_takes_up_is_parked_no_more(parked, act):
    error = {"error": ERROR} if act == "cancel_saga" else {}
    getattr(parked.log.control, act)(parked.id, actor={}, **error)
    assert parked.field("parked") is None
    assert unpark(parked) == Late()


def test_a_parked_saga_is_due_again_after_a_sweep_of_an_earlier_release(parked):
    parked.client.zrem(parked.due_key, parked.id)
    parked.log.maintenance.hasten_parked(limit=50)
    assert due(parked) <= view_of(parked.log).client.time()[0] * 1000 + 1000
    assert look(parked).path == "travel"


def test_a_deadline_does_not_make_a_parked_saga_due(parked):
    parked.client.hset(parked.saga_key, "deadline", "1")
    look(parked)
    assert due(parked) > view_of(parked.log).client.time()[0] * 1000
    assert parked.status == "stuck"


def test_a_saga_that_is_stuck_for_a_failed_compensation_is_not_parked(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel")
    journey.lose("travel:undo", unknown=True)
    journey.log.maintenance.hasten_parked(limit=50)
    assert (journey.status, due(journey), look(journey)) == ("stuck", None, None)
    assert unpark(journey) == Late()


def test_what_an_earlier_release_took_up_is_parked_no_more_once_it_is_stuck_again(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.client.hset(journey.saga_key, "parked", "1")
    journey.lose("hotel")
    journey.lose("travel:undo", unknown=True)
    journey.log.control.pause_saga(journey.id, actor={})
    journey.log.control.resume_saga(journey.id, actor={})
    assert (journey.status, look(journey), journey.field("parked")) == ("stuck", None, None)
