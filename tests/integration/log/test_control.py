"""What a person does to a saga: one script each, refused where the saga has moved on."""

import json

import pytest

from amends.definition.states import SagaStatus
from amends.errors import ActRefused, UnknownSaga
from amends.log.answers import Done, Run, Stop
from amends.log.in_flight import Running
from tests.support.clock import Since
from tests.support.log_driver import Journey
from tests.support.log_view import view_of

BY = {"by": "ada", "why": "the bank was called"}


def retry(journey, *, seen=None, **actor):
    return journey.log.control.retry_saga(journey.id, actor=actor, seen=seen).said


def skip(journey, path, output="", *, seen=None, **actor):
    acts = journey.log.control
    return acts.skip_step(journey.id, path, output=output, actor=actor, seen=seen).said


def pause(journey, *, seen=None, **actor):
    return journey.log.control.pause_saga(journey.id, actor=actor, seen=seen).said


def resume(journey, *, seen=None, **actor):
    return journey.log.control.resume_saga(journey.id, actor=actor, seen=seen).said


def cancel(journey, *, seen=None):
    error = '{"type":"Cancelled","message":"someone cancelled the saga"}'
    return journey.log.control.cancel_saga(journey.id, error=error, actor={}, seen=seen).said


def unregistered(journey, path, most=3):
    return journey.log.note_unregistered(journey.id, path, task='a "task"', most=most)


def publish(journey):
    journey.log.dispatch_saga(journey.id, longest_wait=300.0)


def due(journey):
    return journey.client.zscore(journey.due_key, journey.id)


ACTS = {"retry": retry, "pause": pause, "resume": resume, "cancel": cancel}


def last_event(journey):
    event = journey.log.read_history(journey.id)[-1]
    return event.name, event.record, event.details


@pytest.fixture
def stuck(journey):
    """Give a saga whose undo of the travel failed for good, after two attempts."""
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel")
    journey.claim("travel:undo")
    journey.retry("travel:undo")
    journey.claim("travel:undo", retries=1)
    journey.fail("travel:undo", unknown=True)
    assert journey.status == "stuck"
    return journey


@pytest.fixture
def parked(journey):
    """Give a saga whose second step no worker knows."""
    journey.do("check_traveller")
    for _ in range(3):
        publish(journey)
        answer = unregistered(journey, "travel")
    assert (answer, journey.status) == ("parked", "stuck")
    return journey


# What a person saw


@pytest.mark.parametrize("act", ACTS)
def test_an_act_on_a_saga_that_has_moved_since_it_was_seen_is_refused(journey, act):
    seen = len(journey.events())
    journey.do("check_traveller")
    journey.claim("travel")
    journey.retry("travel")
    with pytest.raises(ActRefused, match=f"cannot {act} .*: it has moved on since you looked"):
        ACTS[act](journey, seen=seen)
    assert journey.events()[-1] == "step.retrying travel"
    assert ACTS[act](journey, seen=len(journey.events())) in ("advance", "end")


def test_a_skip_is_refused_where_the_undo_is_tried_again_meanwhile(stuck):
    seen = len(stuck.events())
    retry(stuck)
    with pytest.raises(ActRefused, match="moved on since you looked, and is compensating now"):
        skip(stuck, "travel", seen=seen)
    assert skip(stuck, "travel", seen=seen + 1) == "end"


@pytest.mark.parametrize("act", ACTS)
def test_an_act_may_hold_for_a_status_whatever_moves_within_it(journey, act):
    journey.do("check_traveller")
    with pytest.raises(ActRefused, match="moved on since you looked, and is running now"):
        ACTS[act](journey, seen=SagaStatus.PENDING)
    journey.claim("travel")
    journey.retry("travel")
    assert ACTS[act](journey, seen=SagaStatus.RUNNING) in ("advance", "end")


def test_o24c_an_act_that_is_repeated_is_not_refused_for_what_it_did_itself(stuck):
    seen = len(stuck.events())
    arguments = ("retry_saga", stuck.id, "token", "", str(seen), "", 0, 0)
    assert (
        view_of(stuck.log).call(*arguments)[0]
        == view_of(stuck.log).call(*arguments)[0]
        == "advance"
    )


def test_o24c_an_act_is_known_again_after_others(stuck):
    acts = stuck.log.control
    assert acts.retry_saga(stuck.id, actor={}, act_id="first").said == "advance"
    acts.pause_saga(stuck.id, actor=BY)
    seen = stuck.events()
    assert acts.retry_saga(stuck.id, actor={}, act_id="first").said == "end"
    assert stuck.events() == seen


@pytest.mark.parametrize(("act", "opposite"), [("pause", "resume"), ("resume", "pause")])
def test_an_act_that_found_nothing_to_do_is_known_again(journey, act, opposite):
    acts = {"pause": journey.log.control.pause_saga, "resume": journey.log.control.resume_saga}
    ACTS[act](journey)
    acts[act](journey.id, actor={}, act_id="first")
    ACTS[opposite](journey)
    seen = journey.events()
    acts[act](journey.id, actor={}, act_id="first")
    assert journey.events() == seen


def test_an_act_that_an_earlier_release_wrote_down_is_known_again(stuck):
    stuck.client.hset(stuck.saga_key, "act", "token")
    seen = stuck.events()
    stuck.log.control.retry_saga(stuck.id, actor={}, act_id="token")
    assert stuck.events() == seen


# Retry


def test_a_retry_of_what_is_under_way_is_refused_with_what_it_met(stuck):
    retry(stuck)
    stuck.client.hincrby(stuck.saga_key, "sent", 3_600_000)  # however slow this machine is
    seen = stuck.events()
    with pytest.raises(ActRefused, match="travel:undo is under way"):
        retry(stuck)
    assert stuck.events() == seen


def test_a_retry_sends_again_what_nobody_has_claimed_for_ten_seconds(stuck):
    retry(stuck)
    stuck.client.hincrby(stuck.saga_key, "sent", -10_000)
    assert retry(stuck) == "advance"


def test_a_retry_ends_a_wait_though_there_was_a_retry_just_before(stuck):
    retry(stuck)
    stuck.claim("travel:undo", retries=2)
    stuck.retry("travel:undo")
    assert retry(stuck) == "advance"


def test_a_stuck_undo_that_is_retried_is_claimed_again_and_ends_the_saga(stuck):
    assert retry(stuck, **BY) == "advance"
    assert last_event(stuck) == ("saga.retried", None, BY)
    assert (stuck.status, stuck.field("reason")) == ("compensating", None)
    assert due(stuck)
    assert stuck.remaining() == ["travel:undo"]
    stuck.claim("travel:undo", retries=2)
    assert stuck.complete("travel:undo").said == "end"
    assert stuck.status == "compensated"


def test_a_retry_gives_new_attempts_and_no_counter_goes_back(stuck):
    retry(stuck)
    claim = stuck.claim("travel:undo", "new", retries=2)
    assert isinstance(claim, Run)
    assert (claim.attempts, claim.spent, claim.tries) == (2, 0, 2)
    running = stuck.log.dispatch_saga(stuck.id, longest_wait=300.0)
    assert isinstance(running, Running)
    assert (running.attempts, running.deaths) == (0, 0)


def test_a_retry_gives_a_poisoned_undo_new_lives(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel")
    for life in range(3):
        journey.claim("travel:undo", retries=life)
        journey.retry("travel:undo", cost="death")
    retry(journey)
    journey.claim("travel:undo", "new", retries=3)
    assert journey.log.dispatch_saga(journey.id, longest_wait=300.0).deaths == 0
    assert journey.field("2u.p") == "3"


def test_a_message_from_before_the_retry_is_admitted_no_more_than_before_it(stuck):
    retry(stuck)
    assert isinstance(stuck.claim("travel:undo", retries=1), Stop)


def test_what_waits_for_its_next_attempt_is_tried_now(journey):
    journey.claim("check_traveller")
    journey.retry("check_traveller", wait=200.0)
    assert retry(journey) == "advance"
    assert journey.log.dispatch_saga(journey.id, longest_wait=300.0).wait == 0


def test_a_retry_is_refused_while_a_step_runs_and_after_the_end(journey):
    journey.claim("check_traveller")
    with pytest.raises(ActRefused, match=r"cannot retry saga .*: check_traveller is running"):
        retry(journey)
    journey.fail("check_traveller")
    with pytest.raises(ActRefused, match="it is compensated"):
        retry(journey)


def test_acts_on_an_unknown_saga_say_so_and_create_no_key(log, client):
    for act in ("retry_saga", "pause_saga", "resume_saga"):
        with pytest.raises(UnknownSaga):
            getattr(log.control, act)("nobody", actor={})
    with pytest.raises(UnknownSaga):
        log.control.skip_step("nobody", "a", output="", actor={})
    assert not client.exists(view_of(log).keys_of("nobody")[0])


def test_o24c_a_repeated_act_gets_its_first_answer(stuck):
    arguments = ("retry_saga", stuck.id, "token", "", "", "", 0, 0)
    first = view_of(stuck.log).call(*arguments)
    assert first[0] == view_of(stuck.log).call(*arguments)[0] == "advance"
    assert stuck.events().count("saga.retried") == 1
    arguments = ("skip_step", stuck.id, "token-2", "", "", "", 0, 0, "travel", "")
    assert view_of(stuck.log).call(*arguments) == view_of(stuck.log).call(*arguments)
    assert stuck.events().count("step.skipped travel:undo") == 1


# Skip


def test_a_stuck_undo_that_is_skipped_ends_the_saga_as_compensated(stuck):
    assert skip(stuck, "travel", **BY) == "end"
    assert stuck.status == "compensated"
    assert stuck.field("2u.s") == "skipped"
    assert "step.skipped travel:undo" in stuck.events()


def test_what_is_stuck_can_be_skipped_by_its_path_too(stuck):
    skip(stuck, "travel:undo")
    assert stuck.status == "compensated"


def test_one_of_two_undos_that_failed_leaves_the_saga_stuck_with_the_other(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel", unknown=True)
    journey.lose("hotel:undo")
    journey.lose("travel:undo")
    skip(journey, "hotel")
    assert (journey.status, journey.field("reason")) == ("stuck", "travel:undo failed for good")
    skip(journey, "travel")
    assert journey.status == "compensated"


def test_a_step_is_skipped_with_its_output_and_the_next_one_gets_it(journey):
    journey.do("check_traveller")
    assert skip(journey, "travel") == "lacking"
    assert journey.field("2.s") is None
    assert skip(journey, "travel", '{"ticket":"by hand"}') == "advance"
    claim = journey.claim("postcard")
    assert claim.sources["travel"] == {"ticket": "by hand"}


def test_a_skipped_step_is_undone_on_the_way_back_with_the_output_it_was_given(journey):
    journey.do("check_traveller")
    skip(journey, "travel", '{"ticket":"by hand"}')
    journey.do("postcard")
    journey.lose("hotel")
    assert journey.claim("travel:undo").compensated_output == {"ticket": "by hand"}


def test_the_message_of_a_skipped_step_lets_its_chain_go_on(journey):
    skip(journey, "check_traveller", "null")
    assert isinstance(journey.claim("check_traveller"), Done)
    assert isinstance(journey.claim("travel"), Run)
    assert isinstance(journey.claim("check_traveller"), Stop)


def test_a_saga_whose_every_step_is_skipped_is_completed(journey):
    for step in ("check_traveller", "travel", "postcard", "hotel"):
        skip(journey, step, json.dumps({"ticket": "T", "room": "R"}))
    assert journey.status == "completed"


def test_a_void_that_is_skipped_lets_the_fallback_go(journey):
    journey.do("check_traveller")
    journey.lose("travel", unknown=True)
    assert journey.remaining()[0] == "travel:undo"
    skip(journey, "travel")
    assert journey.remaining()[0] == "travel:fallback"


@pytest.mark.parametrize(
    ("path", "output", "why"),
    [
        ("hotel", "{}", "hotel is pending, and travel comes next"),
        ("check_traveller", "null", "check_traveller is done, and travel comes next"),
        ("nowhere", "", "it has no step nowhere"),
        ("travel:undo", "", "travel:undo is pending, and travel comes next"),
    ],
)
def test_only_what_comes_next_is_skipped(journey, path, output, why):
    journey.do("check_traveller")
    with pytest.raises(ActRefused, match=why):
        skip(journey, path, output)


def test_neither_what_runs_nor_an_undo_with_an_output_is_skipped(journey):
    journey.do("check_traveller")
    journey.claim("travel")
    with pytest.raises(ActRefused, match="travel is running"):
        skip(journey, "travel", "{}")
    journey.complete("travel")
    journey.do("postcard")
    journey.lose("hotel")
    with pytest.raises(ActRefused, match="travel:undo is an undo, which has no output"):
        skip(journey, "travel", "{}")


# Pause and resume


def test_a_paused_saga_starts_nothing_and_is_not_due_but_for_its_deadline(journey):
    assert pause(journey, **BY) == "end"
    assert last_event(journey) == ("saga.paused", None, BY)
    assert isinstance(journey.claim("check_traveller"), Stop)
    assert journey.remaining() == []
    assert due(journey) == float(journey.field("deadline"))


def test_a_paused_saga_accepts_a_result_and_lets_its_chain_end(journey):
    journey.claim("check_traveller")
    pause(journey)
    assert journey.complete("check_traveller", link="travel").said == "end"
    assert isinstance(journey.claim("travel"), Stop)


def test_a_resumed_saga_goes_on_where_it_was(journey):
    journey.do("check_traveller")
    pause(journey)
    assert resume(journey, **BY) == "advance"
    assert last_event(journey) == ("saga.resumed", None, BY)
    assert due(journey) < float(journey.field("deadline"))
    assert journey.remaining()[0] == "travel"
    assert isinstance(journey.claim("travel"), Run)


def test_a_wait_goes_on_through_a_pause(journey):
    journey.claim("check_traveller")
    since = Since(journey.client)
    journey.retry("check_traveller", wait=200.0)
    pause(journey)
    resume(journey)
    assert journey.log.dispatch_saga(journey.id, longest_wait=300.0).wait in since.left(200)


def test_a_cancel_of_a_paused_saga_is_recorded_and_its_undo_waits(journey):
    journey.do("check_traveller", "travel")
    pause(journey)
    assert cancel(journey) == "end"
    assert (journey.status, journey.remaining(), due(journey)) == ("compensating", [], None)
    assert isinstance(journey.claim("travel:undo"), Stop)
    resume(journey)
    assert journey.remaining() == ["travel:undo"]


def test_the_deadline_of_a_paused_saga_is_recorded_and_its_undo_waits(journey):
    journey.do("check_traveller", "travel")
    pause(journey)
    journey.client.hset(journey.saga_key, "deadline", 1)
    assert journey.remaining() == []
    assert (journey.status, journey.field("outcome")) == ("compensating", "timed_out")
    resume(journey)
    assert journey.remaining() == ["travel:undo"]


def test_a_retry_of_a_paused_saga_waits_for_its_resume(stuck):
    pause(stuck)
    assert retry(stuck) == "end"
    assert (stuck.status, stuck.remaining()) == ("compensating", [])
    resume(stuck)
    assert stuck.remaining() == ["travel:undo"]


def test_a_pause_twice_is_a_pause_and_a_resume_of_what_goes_on_is_nothing(journey):
    resume(journey)
    pause(journey)
    pause(journey)
    assert journey.events() == ["saga.started", "saga.paused"]


def test_what_has_ended_is_neither_paused_nor_resumed(journey):
    cancel(journey)
    for act, name in ((pause, "pause"), (resume, "resume")):
        with pytest.raises(ActRefused, match=rf"cannot {name} saga .*: it is compensated"):
            act(journey)


# Tasks that no worker knows


def test_o24b_a_saga_is_parked_only_after_several_messages_that_no_worker_knew(journey):
    journey.do("check_traveller")
    answers = []
    for _ in range(3):
        publish(journey)
        answers.append(unregistered(journey, "travel"))
    assert answers == ["again", "again", "parked"]
    waits = [
        e.details["wait"]
        for e in journey.log.read_history(journey.id)
        if e.name == "step.unregistered"
    ]
    assert waits == [10_000, 20_000]
    assert journey.field("reason") == 'no worker knows the task a \\"task\\"'
    assert due(journey) is not None


def test_o24b_copies_of_one_message_are_counted_once(journey):
    publish(journey)
    assert [unregistered(journey, "check_traveller") for _ in range(5)] == ["again"] + ["stop"] * 4


def test_o24b_after_such_a_message_the_next_look_publishes(journey):
    publish(journey)
    unregistered(journey, "check_traveller")
    assert journey.log.dispatch_saga(journey.id, longest_wait=300.0, only_look=True).is_overdue


def test_o24_only_the_message_of_what_comes_next_parks_a_saga(journey):
    assert unregistered(journey, "travel", most=1) == "stop"
    journey.claim("check_traveller")
    assert unregistered(journey, "check_traveller", most=1) == "stop"
    assert journey.log.note_unregistered("nobody", "a", task="t", most=1) == "stop"
    assert not journey.client.exists(view_of(journey.log).keys_of("nobody")[0])


def test_a_parked_saga_that_is_retried_goes_on_with_a_new_budget(parked):
    assert isinstance(parked.claim("travel"), Stop)
    assert retry(parked) == "advance"
    assert (parked.status, parked.remaining()[0]) == ("running", "travel")
    assert unregistered(parked, "travel") == "again"
    assert isinstance(parked.claim("travel"), Run)


def test_a_parked_saga_can_be_cancelled_and_undone(parked):
    assert cancel(parked) == "end"
    assert (parked.status, parked.field("reason")) == ("compensated", None)


def test_the_step_of_a_parked_saga_can_be_done_by_hand(parked):
    assert skip(parked, "travel", '{"ticket":"T"}') == "advance"
    assert (parked.status, parked.remaining()[0]) == ("running", "postcard")


# Retention


def ended(journey):
    cancel(journey)
    return journey


def exists(journey):
    return journey.client.exists(*view_of(journey.log).keys_of(journey.id)[:2])


def test_what_ended_long_ago_is_removed_with_its_history_and_its_index_entry(journey):
    ended(journey)
    assert journey.id in journey.log.maintenance.read_ended(ago=0.0, limit=1000)
    assert journey.log.maintenance.remove_sagas([journey.id], kept_for=100.0) == 0
    assert exists(journey)
    assert journey.log.maintenance.remove_sagas([journey.id], kept_for=0.0) == 1
    assert not exists(journey)
    assert journey.id not in journey.log.maintenance.read_ended(ago=0.0, limit=1000)


def test_o17_what_has_not_ended_is_not_removed(stuck, log, client):
    alive = Journey(log, client)
    for each in (stuck, alive):
        assert log.maintenance.remove_sagas([each.id], kept_for=0.0) == 0
        assert exists(each) == 2
        assert each.id not in log.maintenance.read_ended(ago=0.0, limit=1000)


def test_o18_what_is_left_of_a_saga_in_an_index_is_dropped_when_it_is_met(journey):
    ended(journey)
    journey.client.delete(*view_of(journey.log).keys_of(journey.id)[:2])
    assert journey.log.maintenance.remove_sagas([journey.id], kept_for=100.0) == 1
    assert journey.id not in journey.log.maintenance.read_ended(ago=0.0, limit=1000)
