"""A rehearsal: sagas run to their end in this process, and tell what was done and undone."""

import subprocess
import sys
from threading import Thread

import pytest
from celery import Celery, _state, shared_task

from amends import NotDone, Refused, SagaStatus, SagaStuck, UnknownSaga, get
from amends.testing import Rehearsal, stage
from tests.unit.testing.rehearsed_sagas import (
    Trip,
    await_visa,
    book_flight,
    effects,
    journey_saga,
    oslo,
    visa_saga,
)


def test_a_saga_runs_to_its_end_and_its_handle_reads_as_ever(rehearsal):
    handle = rehearsal.run(journey_saga, oslo, saga_id="trip-1")
    assert handle.id == "trip-1"
    assert handle.status is SagaStatus.COMPLETED
    assert handle.wait(timeout=0).model_dump() == {
        "outcome": "completed",
        "room": "12b",
        "ticket": "AM42",
        "error": None,
    }
    assert handle.snapshot().steps["book_flight"].attempts == 1
    assert handle.history()[-1].name == "saga.finished"
    assert effects == rehearsal.done == ["book_room", "book_flight", "tell"]
    assert rehearsal.undone == []


def test_what_was_undone_is_told_in_the_order_of_the_undos(rehearsal):
    rehearsal.at(journey_saga, "tell").raises(Refused("no phone"))
    handle = rehearsal.run(journey_saga, oslo)
    assert (handle.status, handle.outcome) == ("compensated", "untold")
    assert rehearsal.done == ["book_room", "book_flight"]
    assert rehearsal.undone == ["book_flight", "book_room"]
    assert effects == []


def test_each_call_tells_its_record_attempt_key_request_and_result(rehearsal):
    refusal = Refused("no phone")
    rehearsal.at(journey_saga, "book_room").raises(NotDone("busy"))
    rehearsal.at(journey_saga, "tell").raises(refusal)
    handle = rehearsal.run(journey_saga, oslo, saga_id="t")
    first, second, flight, tell, undo_flight, _ = rehearsal.calls
    assert (first.path, first.attempt, first.idempotency_key) == ("book_room", 1, "t:book_room")
    assert isinstance(first.error, NotDone)
    assert (second.path, second.attempt, second.idempotency_key) == ("book_room", 2, "t:book_room")
    assert (second.request, second.output.room, second.error) == (oslo, "12b", None)
    assert second.at - first.at == pytest.approx(60.0, abs=1e-4)
    assert (tell.error, tell.undone) == (refusal, None)
    assert (undo_flight.path, undo_flight.idempotency_key) == (
        "book_flight:undo",
        "t:book_flight:undo",
    )
    assert undo_flight.undone == flight.output
    assert {call.saga_id for call in rehearsal.calls} == {handle.id}


def test_of_several_sagas_each_is_told_apart_and_all_together_in_order(rehearsal):
    one = rehearsal.run(journey_saga, Trip(city="Atlantis"))
    two = rehearsal.run(journey_saga, oslo)
    assert (rehearsal.done_of(one), rehearsal.undone_of(one)) == (["book_room"], ["book_room"])
    assert rehearsal.done_of(two) == ["book_room", "book_flight", "tell"]
    assert rehearsal.undone_of(two) == []
    assert rehearsal.done == ["book_room", "book_room", "book_flight", "tell"]
    assert rehearsal.undone == ["book_room"]
    assert rehearsal.calls == rehearsal.calls_of(one) + rehearsal.calls_of(two)


def test_the_same_id_is_the_same_saga_and_is_not_played_twice(rehearsal):
    rehearsal.run(journey_saga, oslo, saga_id="once")
    rehearsal.run(journey_saga, oslo, saga_id="once")
    assert len(rehearsal.calls) == 3


def test_code_that_starts_a_saga_itself_rehearses_it(rehearsal):
    rehearsal.at(journey_saga, "book_flight").raises(NotDone())
    handle = journey_saga.start(oslo)
    assert handle.status is SagaStatus.COMPLETED
    assert get(handle.id).outcome == "completed"


def test_a_saga_that_an_activity_starts_runs_too(rehearsal):
    """And the one that started it goes on, also after a wait."""
    started = []

    def tell(trip):
        started.append(visa_saga.start(trip, saga_id="visa"))
        if len(started) == 1:
            raise NotDone("later")

    rehearsal.at(journey_saga, "tell").replace(tell)
    handle = rehearsal.run(journey_saga, oslo)
    assert (handle.status, started[0].status) == ("completed", "completed")
    assert [call.path for call in rehearsal.calls][-3:] == ["tell", "await_visa", "tell"]


def test_a_stuck_saga_is_given_back_and_says_why(rehearsal):
    rehearsal.at(journey_saga, "book_room:undo").raises(Refused("already in use"))
    handle = rehearsal.run(journey_saga, Trip(city="Atlantis"))
    assert handle.status is SagaStatus.STUCK
    with pytest.raises(SagaStuck, match="book_room:undo failed for good"):
        handle.wait(timeout=0)
    assert (rehearsal.done, rehearsal.undone) == (["book_room"], [])


def test_other_tasks_run_at_once_alone(rehearsal):
    @shared_task(name="journey.add")
    def add(a, b):
        return a + b

    assert add.delay(1, b=2).get() == 3
    await_visa.delay(oslo).get()
    assert len(effects) == 1
    assert rehearsal.calls == []


def test_a_saga_that_is_tried_for_ever_ends_the_test(rehearsal, monkeypatch):
    monkeypatch.setattr(stage, "_MOST_CALLS", 20)
    rehearsal.at(visa_saga, "await_visa").raises(NotDone(), times=None)
    with pytest.raises(RuntimeError, match=r"await_visa is still tried after 20 calls: .*within="):
        rehearsal.run(visa_saga, oslo)
    assert rehearsal.run(journey_saga, oslo).outcome == "completed"


def test_two_rehearsals_share_nothing():
    with Rehearsal() as one:
        one.at(journey_saga, "book_room").raises(Refused("full"))
        handle = one.run(journey_saga, oslo, saga_id="same")
    with Rehearsal() as two:
        assert two.run(journey_saga, oslo, saga_id="same").outcome == "completed"
        assert two.calls[0].error is None
        two.clock.advance(1e6)
        with Rehearsal(now=two.clock.now) as inner, pytest.raises(UnknownSaga):
            journey_saga.get("same")
        assert journey_saga.get("same").outcome == "completed"
    assert one.clock.now < two.clock.now - 9e5
    assert inner.clock.now == two.clock.now
    with one:
        assert handle.outcome == "no_room"


def test_the_app_that_was_current_is_current_again():
    before = _state._tls.current_app
    try:
        mine = Celery("mine", broker="memory://")
        with Rehearsal():
            assert _state.get_current_app() is not mine
        assert _state.get_current_app() is mine
        with pytest.raises(KeyError), Rehearsal():
            raise KeyError
        assert _state.get_current_app() is mine
    finally:
        _state._set_current_app(before)


def test_where_no_app_was_current_none_is_made():
    default = _state.default_app
    seen = []

    def rehearse():  # a thread has no current app of its own
        with Rehearsal() as rehearsal:
            rehearsal.run(journey_saga, oslo)
        seen.append(_state._tls.current_app)

    thread = Thread(target=rehearse)
    thread.start()
    thread.join()
    assert seen == [None]
    assert _state.default_app is default


def test_a_rehearsal_that_is_not_open_says_so():
    rehearsal = Rehearsal()
    with pytest.raises(RuntimeError, match="with Rehearsal"):
        rehearsal.run(journey_saga, oslo)
    with pytest.raises(RuntimeError, match="with Rehearsal"):
        rehearsal.advance(1.0)


@pytest.mark.parametrize("lacking", ["fakeredis", "lupa"])
def test_without_fakeredis_it_names_the_extra(lacking):
    program = f"import sys; sys.modules[{lacking!r}] = None; from amends.testing import Rehearsal; Rehearsal()"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert "ConfigurationError: a rehearsal" in run.stderr
    assert "pip install 'amends[testing]'" in run.stderr


class ApprovedTrip(Trip):
    approved_by: str


def test_an_input_that_no_code_here_can_read_parks_the_saga_at_once(rehearsal, monkeypatch):
    monkeypatch.setattr(book_flight, "parameters", [ApprovedTrip])
    handle = rehearsal.run(journey_saga, oslo)
    with pytest.raises(SagaStuck, match="book_flight cannot read the stored input as ApprovedTrip"):
        handle.wait(timeout=0)
    assert (rehearsal.done, rehearsal.undone) == (["book_room"], [])
