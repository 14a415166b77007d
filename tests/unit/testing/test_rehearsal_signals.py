"""Rehearsing sagas that wait for signals and for times: nothing waits, the clock is moved."""

from datetime import UTC, datetime

import pytest
from pydantic import AwareDatetime, BaseModel

from amends import ActRefused, Delay, NotDone, Parallel, Refused, Saga, Signalled, Step, Wait
from amends.testing import Rehearsal
from tests.unit.testing import rehearsed_sagas
from tests.unit.testing.rehearsed_sagas import book_room, cancel_room

DAY, HOUR = 86400.0, 3600.0


class Trip(rehearsed_sagas.Trip):
    leaves_at: AwareDatetime | None = None


class Consent(BaseModel):
    granted: bool = True


class TripResult(BaseModel):
    outcome: str
    error: str | None
    granted: bool | None


def step(name):
    return Step(book_room, name=name, compensation=cancel_room, outcome=f"no_{name}")


def trip_of(name, *stages, timeout=None):
    return Saga(
        name,
        input=Trip,
        output=TripResult,
        steps=stages,
        timeout=timeout,
        outputs={"granted": "consent.granted"},
    )


CONSENT = Wait("consent", Consent, timeout=DAY, outcome="not_allowed")
asked_saga = trip_of("asked_trip", step("a"), CONSENT, step("b"))
asked_first_saga = trip_of("asked_first", CONSENT, step("b"))
voted_saga = Saga(
    "voted_trip", input=Trip, output=Trip, steps=[Wait("vote", Consent, count=2), step("b")]
)
delayed_saga = Saga("delayed", input=Trip, output=Trip, steps=[step("a"), Delay(DAY), step("b")])
delayed_first_saga = Saga("delayed_first", input=Trip, output=Trip, steps=[Delay(DAY), step("b")])
until_saga = Saga(
    "until", input=Trip, output=Trip, steps=[Delay(until="input.leaves_at"), step("b")]
)
endless_saga = Saga(
    "endless",
    input=Trip,
    output=TripResult,
    timeout=3600.0,
    outputs={"granted": "consent.granted"},
    steps=[step("a"), Wait("consent", Consent), step("b")],
)
beside_saga = Saga(
    "beside",
    input=Trip,
    output=Trip,
    steps=[
        Parallel(
            [step("a"), Delay(HOUR), step("c")],
            [Wait("consent", Consent, timeout=2 * HOUR, outcome="not_allowed"), step("d")],
            step("e"),
        )
    ],
)
oslo = Trip(city="Oslo")


def waits_at(handle, step="consent"):
    return handle.snapshot().steps[step].state == "waiting"


def moved(rehearsal, since):
    return rehearsal.clock.now - since


@pytest.mark.parametrize("saga", [asked_saga, asked_first_saga], ids=["in_between", "first"])
def test_a_saga_is_left_where_it_waits_and_goes_on_by_a_signal(rehearsal, saga):
    began = rehearsal.clock.now
    handle = rehearsal.run(saga, oslo)
    assert waits_at(handle)
    assert handle.signal("consent", Consent()) is Signalled.TAKEN
    assert handle.wait() == TripResult(outcome="completed", error=None, granted=True)
    assert moved(rehearsal, began) == 0


@pytest.mark.parametrize("saga", [asked_saga, asked_first_saga], ids=["in_between", "first"])
def test_its_time_is_over_by_the_clock_alone(rehearsal, saga):
    handle = rehearsal.run(saga, oslo)
    rehearsal.advance(DAY - 1)
    assert waits_at(handle)
    rehearsal.advance(1)
    assert (handle.status, handle.outcome) == ("compensated", "not_allowed")
    assert "b" not in rehearsal.done


def test_within_a_time_its_time_out_comes_too(rehearsal):
    assert rehearsal.run(asked_saga, oslo, within=2 * DAY).outcome == "not_allowed"


def test_a_wait_that_begins_while_time_passes_is_over_in_it(rehearsal):
    rehearsal.at(asked_saga, "a").raises(NotDone("busy", retry_after=DAY))
    handle = rehearsal.run(asked_saga, oslo, within=0)
    rehearsal.advance(3 * DAY)
    assert handle.outcome == "not_allowed"


def test_a_deadline_ends_a_wait_without_a_time(rehearsal):
    handle = rehearsal.run(endless_saga, oslo)
    rehearsal.advance(3599)
    assert waits_at(handle)
    rehearsal.advance(1)
    assert (handle.outcome, rehearsal.undone) == ("timed_out", ["a"])


@pytest.mark.parametrize("saga", [delayed_saga, delayed_first_saga], ids=["in_between", "first"])
def test_a_delay_moves_the_clock(rehearsal, saga):
    began = rehearsal.clock.now
    assert rehearsal.run(saga, oslo).status == "completed"
    assert moved(rehearsal, began) == DAY
    assert rehearsal.done[-1] == "b"


def test_within_less_a_delay_is_left(rehearsal):
    handle = rehearsal.run(delayed_saga, oslo, within=DAY - 1)
    assert waits_at(handle, "delay")
    rehearsal.advance(1)
    assert handle.status == "completed"


def test_a_delay_lasts_until_a_time():
    with Rehearsal(now=datetime(2026, 12, 1, tzinfo=UTC).timestamp()) as rehearsal:
        leaves_at = datetime(2026, 12, 24, 18, tzinfo=UTC)
        rehearsal.run(until_saga, Trip(city="Oslo", leaves_at=leaves_at))
        assert rehearsal.calls[0].at == leaves_at.timestamp()
        rehearsal.run(until_saga, oslo)  # no time at all is over at once
        assert rehearsal.clock.now == leaves_at.timestamp()


def test_an_action_may_signal_early(rehearsal):
    answers = []
    rehearsal.at(asked_saga, "a").before(
        lambda handle: answers.append(handle.signal("consent", {"granted": False}))
    )
    assert rehearsal.run(asked_saga, oslo).wait().granted is False
    assert answers == ["kept"]


def test_several_signals_of_several_people(rehearsal):
    handle = rehearsal.run(voted_saga, oslo)
    assert handle.signal("vote", Consent(), by="ada") == "counted"
    assert handle.signal("vote", Consent(), by="bob") == "taken"
    assert handle.status == "completed"


def test_a_cancel_ends_the_wait(rehearsal):
    handle = rehearsal.run(asked_saga, oslo)
    handle.cancel()
    assert (handle.outcome, rehearsal.undone) == ("cancelled", ["a"])


def test_a_paused_saga_takes_its_signal_and_goes_on_once_it_is_resumed(rehearsal):
    handle = rehearsal.run(asked_saga, oslo)
    handle.pause()
    rehearsal.advance(2 * DAY)
    assert handle.signal("consent", Consent()) == "taken"
    assert handle.status == "running"
    handle.resume()
    assert handle.status == "completed"


def test_a_saga_that_waits_alone_is_passed_by_while_another_goes_on(rehearsal):
    waiting, began = rehearsal.run(asked_saga, oslo), rehearsal.clock.now
    assert rehearsal.run(voted_saga, oslo).status == "running"
    assert moved(rehearsal, began) == 0
    assert waits_at(waiting)


def test_the_times_of_others_pass_with_a_delay(rehearsal):
    waiting = rehearsal.run(asked_saga, oslo)
    rehearsal.advance(1)
    rehearsal.run(delayed_saga, oslo)
    assert waiting.outcome == "not_allowed"


def test_branches_go_on_while_others_wait(rehearsal):
    began = rehearsal.clock.now
    rehearsal.at(beside_saga, "e").raises(NotDone("busy", retry_after=1.25 * HOUR))
    handle = rehearsal.run(beside_saga, oslo)
    at = {call.path: call.at - began for call in rehearsal.calls}
    assert at == {"a": 0, "c": HOUR, "e": 1.25 * HOUR}
    assert waits_at(handle)
    handle.signal("consent", Consent())
    assert handle.status == "completed"


def test_a_time_out_in_a_branch_comes_before_a_later_retry_of_another(rehearsal):
    rehearsal.at(beside_saga, "e").raises(NotDone("busy", retry_after=5 * HOUR))
    began = rehearsal.clock.now
    handle = rehearsal.run(beside_saga, oslo)
    assert handle.outcome == "not_allowed"
    assert moved(rehearsal, began) == 2 * HOUR


def test_a_branch_that_fails_ends_the_delay_of_another(rehearsal):
    rehearsal.at(beside_saga, "e").raises(Refused("no"))
    began = rehearsal.clock.now
    assert rehearsal.run(beside_saga, oslo).outcome == "no_e"
    assert moved(rehearsal, began) == 0


def test_a_wait_has_no_script_and_the_error_says_what_ends_it(rehearsal):
    with pytest.raises(ValueError, match=r"calls nothing, it waits: end it by handle.signal"):
        rehearsal.at(asked_saga, "consent")


def test_a_signal_that_comes_too_late_is_refused(rehearsal):
    handle = rehearsal.run(asked_saga, oslo)
    rehearsal.advance(DAY)
    with pytest.raises(ActRefused, match="it is compensated"):
        handle.signal("consent", Consent())
