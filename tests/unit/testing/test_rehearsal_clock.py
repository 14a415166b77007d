"""Time in a rehearsal: it is moved, never waited for, and belongs to one rehearsal alone."""

import time

import pytest
from fakeredis import FakeRedis, FakeServer

from amends import NotDone, SagaStatus
from amends.testing import Clock, Rehearsal
from amends.testing.clock import keep_time
from tests.unit.testing.rehearsed_sagas import (
    Trip,
    effects,
    journey_saga,
    oslo,
    time_left,
    visa_saga,
)

DAY = 86400.0


def test_the_clock_stands_still_until_it_is_moved():
    clock = Clock(1_000.0004)
    assert clock.now == 1_000.0
    clock.advance(0.25)
    assert (clock.now, clock.redis_time()) == (1_000.25, [b"1000", b"250000"])
    clock.reach(900.0)
    assert clock.now == 1_000.25
    clock.reach(2_000.0)
    assert clock.now == 2_000.0
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


def test_a_clock_begins_now_where_nothing_else_is_said():
    before = int(time.time())
    assert before <= Clock().now <= time.time() + 1


def test_redis_tells_the_clocks_time_to_scripts_too_and_another_client_the_real_one():
    clock = Clock(5_000.5)
    client, other = (FakeRedis(server=FakeServer()) for _ in range(2))
    keep_time(client, clock)
    assert client.time() == (5_000, 500_000)
    assert client.eval("return redis.call('TIME')", 0) == [b"5000", b"500000"]
    clock.advance(1.0)
    assert client.time() == (5_001, 500_000)
    before = int(time.time())
    assert before <= other.time()[0] <= time.time()


def test_waits_of_three_weeks_take_no_time(rehearsal):
    rehearsal.at(visa_saga, "await_visa").raises(NotDone(retry_after=DAY), times=21)
    handle = rehearsal.run(visa_saga, oslo)
    assert handle.outcome == "completed"
    assert rehearsal.calls[-1].at - rehearsal.calls[0].at == pytest.approx(21 * DAY, abs=1e-4)
    assert handle.history()[-1].at - handle.history()[0].at == pytest.approx(21 * DAY, abs=1e-4)
    assert handle.history()[-1].at == rehearsal.clock.now


def test_the_retry_policy_waits_by_the_clock(rehearsal):
    rehearsal.at(journey_saga, "book_room").raises(NotDone(), times=2)
    rehearsal.run(journey_saga, oslo)
    begins = rehearsal.calls[0].at
    assert [call.at - begins for call in rehearsal.calls[:3]] == pytest.approx(
        [0.0, 60.0, 180.0], abs=1e-4
    )


def test_a_clock_begins_where_the_test_says():
    with Rehearsal(now=1_000_000.0) as rehearsal:
        handle = rehearsal.run(journey_saga, oslo)
        assert {event.at for event in handle.history()} == {1_000_000.0}


def test_a_saga_times_out_while_a_step_runs(rehearsal):
    rehearsal.at(journey_saga, "book_flight").after(lambda _: rehearsal.advance(1000.0))
    handle = rehearsal.run(journey_saga, oslo)
    assert (handle.status, handle.outcome) == ("compensated", "timed_out")
    assert rehearsal.undone == ["book_flight", "book_room"]
    assert rehearsal.done == ["book_room", "book_flight"]


def test_a_saga_that_is_left_waiting_is_cancelled_there(rehearsal):
    rehearsal.at(journey_saga, "book_flight").raises(NotDone())
    handle = rehearsal.run(journey_saga, oslo, within=0)
    assert (handle.status, effects) == (SagaStatus.RUNNING, ["book_room"])
    with pytest.raises(TimeoutError):
        handle.wait(timeout=0)
    assert handle.cancel() is True
    assert (handle.status, handle.outcome) == ("compensated", "cancelled")
    assert rehearsal.undone == ["book_room"]


def test_a_saga_that_is_left_waiting_goes_on_as_time_passes(rehearsal):
    rehearsal.at(journey_saga, "book_flight").raises(NotDone(), times=2)
    begins = rehearsal.clock.now
    handle = rehearsal.run(journey_saga, oslo, within=10.0)
    assert rehearsal.clock.now == pytest.approx(begins + 10.0, abs=1e-4)
    rehearsal.advance(49.9)
    assert len(rehearsal.calls) == 2
    rehearsal.advance(0.1)
    assert len(rehearsal.calls) == 3
    assert handle.status is SagaStatus.RUNNING
    rehearsal.advance(500.0)
    assert handle.status is SagaStatus.COMPLETED
    assert rehearsal.calls[-1].at == pytest.approx(begins + 180.0, abs=1e-4)
    assert rehearsal.clock.now == pytest.approx(begins + 560.0, abs=1e-4)


def test_a_saga_in_waiting_times_out_as_time_passes(rehearsal):
    rehearsal.at(journey_saga, "book_flight").raises(NotDone(retry_after=900.0))
    handle = rehearsal.run(journey_saga, oslo, within=0)
    rehearsal.clock.advance(1000.0)
    rehearsal.advance(0.0)
    assert (handle.status, handle.outcome) == ("compensated", "timed_out")


def test_waiting_sagas_take_their_turns_by_the_clock(rehearsal):
    """One that is run to its end takes the others along only as far as its own time goes."""
    rehearsal.at(visa_saga, "await_visa").raises(NotDone(retry_after=70.0)).raises(
        NotDone(retry_after=1000.0)
    )
    waiting = rehearsal.run(visa_saga, Trip(city="Rome"), within=0)
    rehearsal.at(journey_saga, "book_room").raises(NotDone(), times=2)
    ended = rehearsal.run(journey_saga, oslo)
    assert [call.path for call in rehearsal.calls[:5]] == [
        "await_visa",
        "book_room",
        "book_room",
        "await_visa",
        "book_room",
    ]
    assert (waiting.status, ended.status) == ("running", "completed")


def test_an_attempt_has_as_long_as_the_moved_clock_leaves_it(rehearsal):
    rehearsal.at(journey_saga, "book_room").after(lambda _: rehearsal.advance(980.0))
    rehearsal.run(journey_saga, oslo)
    room, flight, _ = time_left
    assert (round(room, -1), round(flight, -1)) == (30.0, 20.0)


def test_time_that_passes_within_an_attempt_lets_no_other_saga_in_between(rehearsal):
    rehearsal.at(visa_saga, "await_visa").raises(NotDone(retry_after=70.0))
    rehearsal.run(visa_saga, oslo, within=0)
    rehearsal.at(journey_saga, "book_room").before(lambda _: rehearsal.advance(100.0))
    rehearsal.run(journey_saga, oslo)
    assert [call.path for call in rehearsal.calls[:2]] == ["await_visa", "book_room"]


def test_a_saga_that_starts_after_time_was_let_pass_is_played_to_its_end(rehearsal):
    rehearsal.at(journey_saga, "book_room").raises(NotDone())
    rehearsal.advance(10.0)
    assert journey_saga.start(oslo).status is SagaStatus.COMPLETED


def test_a_saga_that_an_action_starts_does_not_lengthen_the_run(rehearsal):
    script = rehearsal.at(journey_saga, "book_room").raises(NotDone())
    script.before(lambda _: rehearsal.run(visa_saga, oslo))
    handle = rehearsal.run(journey_saga, oslo, within=10.0)
    assert handle.status is SagaStatus.RUNNING
    assert [call.path for call in rehearsal.calls] == ["book_room", "await_visa"]
