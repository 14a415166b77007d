"""What a test may say of a record: each way to fail, stubs, and what happens meanwhile."""

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from amends import NotDone, Refused
from tests.unit.testing import rehearsed_sagas
from tests.unit.testing.rehearsed_sagas import (
    Room,
    SoldOut,
    Ticket,
    Trip,
    effects,
    journey_saga,
    oslo,
    room_saga,
)

PATHS = [
    "book_room",
    "book_room:undo",
    "book_flight",
    "book_flight:undo",
    "book_flight:fallback",
    "book_flight:fallback:undo",
    "tell",
]


def tried(rehearsal, path):
    return [call for call in rehearsal.calls if call.path == path]


def test_it_refuses_and_the_error_names_the_outcome(rehearsal):
    rehearsal.at(journey_saga, "book_flight").raises(SoldOut("until May"))
    result = rehearsal.run(journey_saga, oslo).wait(timeout=0)
    assert (result.outcome, result.error) == ("sold_out", "SoldOut: until May")
    assert len(tried(rehearsal, "book_flight")) == 1
    assert tried(rehearsal, "book_flight:fallback") == []
    assert rehearsal.undone == ["book_room"]


def test_without_effect_it_goes_to_the_fallback_and_undoes_nothing(rehearsal):
    rehearsal.at(journey_saga, "book_flight").raises(NotDone("busy"), times=3)
    handle = rehearsal.run(journey_saga, oslo)
    assert handle.outcome == "completed"
    assert handle.snapshot().steps["book_flight"].channel == "fallback"
    assert rehearsal.done == ["book_room", "book_flight:fallback", "tell"]
    assert rehearsal.undone == []


def test_with_an_unknown_outcome_it_is_undone(rehearsal):
    rehearsal.at(journey_saga, "book_flight").raises(OSError("cut"), times=None)
    rehearsal.run(journey_saga, oslo)
    assert rehearsal.done == ["book_room", "book_flight:fallback", "tell"]
    assert rehearsal.undone == ["book_flight"]
    assert tried(rehearsal, "book_flight:undo")[0].undone is None


def test_a_lost_reply_comes_after_the_effect(rehearsal):
    rehearsal.at(journey_saga, "book_flight").loses_reply(times=3)
    rehearsal.at(journey_saga, "book_flight:undo").before(
        lambda _: effects.append(f"{effects.count('book_flight')} before the undo")
    )
    rehearsal.run(journey_saga, oslo)
    assert effects == ["book_room", "3 before the undo", "book_flight:fallback", "tell"]
    lost = tried(rehearsal, "book_flight")[0]
    assert (lost.output, type(lost.error)) == (Ticket(ticket="AM42"), ConnectionError)


def test_a_reply_is_lost_to_the_error_that_the_test_gives(rehearsal):
    rehearsal.at(journey_saga, "tell").loses_reply(KeyError("odd"))
    handle = rehearsal.run(journey_saga, oslo)
    assert [call.attempt for call in tried(rehearsal, "tell")] == [1, 2]
    assert handle.snapshot().steps["tell"].error == "KeyError: 'odd'"
    assert isinstance(tried(rehearsal, "tell")[0].error, KeyError)


def test_a_timeout_takes_its_time_by_the_clock_and_calls_nothing(rehearsal):
    rehearsal.at(journey_saga, "book_room").times_out()
    rehearsal.run(journey_saga, oslo)
    first, second = tried(rehearsal, "book_room")
    assert isinstance(first.error, SoftTimeLimitExceeded)
    assert second.at - first.at == pytest.approx(30.0 + 60.0, abs=1e-4)
    assert effects.count("book_room") == 1


def test_an_output_that_is_given_is_taken_for_the_functions_once(rehearsal):
    rehearsal.at(journey_saga, "book_room").returns(Room(room="stub"))
    assert rehearsal.run(journey_saga, oslo).wait(timeout=0).room == "stub"
    assert effects == ["book_flight", "tell"]
    assert rehearsal.run(journey_saga, oslo).wait(timeout=0).room == "12b"


def test_a_stub_stands_for_the_function_in_all_that_goes_as_usual(rehearsal):
    rehearsal.at(journey_saga, "book_room").stub(Room(room="stub")).raises(NotDone()).loses_reply()
    for _ in range(2):
        assert rehearsal.run(journey_saga, oslo).wait(timeout=0).room == "stub"
    assert [call.output for call in tried(rehearsal, "book_room")] == [
        None,
        Room(room="stub"),
        Room(room="stub"),
        Room(room="stub"),
    ]
    assert "book_room" not in effects


def test_another_function_gets_what_the_activitys_own_would(rehearsal):
    rehearsal.at(journey_saga, "book_room").replace(lambda trip: Room(room=trip.city))
    seen = []
    rehearsal.at(journey_saga, "book_room:undo").replace(lambda *given: seen.append(given))
    handle = rehearsal.run(journey_saga, Trip(city="Atlantis"))
    assert handle.wait(timeout=0).room == "Atlantis"
    assert seen == [(Trip(city="Atlantis"), Room(room="Atlantis"))]


def test_what_the_log_did_not_take_as_an_output_does_not_count_as_done(rehearsal):
    rehearsal.at(journey_saga, "book_room").replace(lambda _: "12b")
    handle = rehearsal.run(journey_saga, oslo)
    assert handle.outcome == "no_room"
    assert (rehearsal.done, rehearsal.undone) == ([], ["book_room"])


def test_attempts_go_as_said_in_order_and_then_as_usual(rehearsal):
    script = rehearsal.at(journey_saga, "tell").runs(times=2)
    assert script.raises(NotDone()) is script
    rehearsal.at(journey_saga, "tell").raises(Refused("full"))
    outcomes = [rehearsal.run(journey_saga, oslo).outcome for _ in range(4)]
    assert outcomes == ["completed", "completed", "untold", "completed"]
    assert [bool(call.error) for call in tried(rehearsal, "tell")] == [
        False,
        False,
        True,
        True,
        False,
    ]


def test_an_undo_can_fail_and_be_tried_again(rehearsal):
    rehearsal.at(journey_saga, "book_room:undo").raises(OSError("cut")).loses_reply()
    handle = rehearsal.run(journey_saga, Trip(city="Atlantis"))
    assert handle.status == "compensated"
    assert [call.attempt for call in tried(rehearsal, "book_room:undo")] == [1, 2, 3]
    assert rehearsal.undone == ["book_room"]


def test_the_undo_of_a_fallback_is_a_record_of_its_own(rehearsal):
    rehearsal.at(journey_saga, "book_flight").raises(NotDone(), times=3)
    rehearsal.at(journey_saga, "book_flight:fallback:undo").raises(NotDone())
    rehearsal.at(journey_saga, "tell").raises(Refused("no"))
    rehearsal.run(journey_saga, oslo)
    assert len(tried(rehearsal, "book_flight:fallback:undo")) == 2
    assert rehearsal.undone == ["book_flight:fallback", "book_room"]


def test_a_script_is_of_one_saga_alone(rehearsal):
    rehearsal.at(journey_saga, "book_room").raises(Refused("full"))
    assert rehearsal.run(room_saga, oslo).outcome == "completed"
    assert rehearsal.run(journey_saga, oslo).outcome == "no_room"


@pytest.mark.parametrize("path", PATHS)
def test_every_record_has_a_script(rehearsal, path):
    assert rehearsal.at(journey_saga, path) is rehearsal.at(journey_saga, path)


def test_a_path_that_is_wrong_is_refused_at_once_with_the_one_that_was_meant(rehearsal):
    with pytest.raises(
        ValueError, match="'journey' has no record 'book_fligth', did you mean 'book_flight'"
    ):
        rehearsal.at(journey_saga, "book_fligth")
    with pytest.raises(ValueError, match="did you mean 'book_room:undo'"):
        rehearsal.at(journey_saga, "book_room:unod")
    with pytest.raises(ValueError, match="no record 'xyz'; it has book_room, book_room:undo, "):
        rehearsal.at(journey_saga, "xyz")


@pytest.mark.parametrize("say", ["stub", "returns"])
@pytest.mark.parametrize(
    ("path", "output"), [("book_room", Ticket(ticket="x")), ("book_room", None), ("tell", oslo)]
)
def test_an_output_that_the_activity_could_not_return_is_refused_at_once(
    rehearsal, say, path, output
):
    with pytest.raises(
        TypeError, match=rf"{path}: {rehearsed_sagas.__name__}.{path} returns (Room|None), never"
    ):
        getattr(rehearsal.at(journey_saga, path), say)(output)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_saga_is_cancelled_while_a_step_runs(rehearsal, when):
    """The attempt finishes and is undone with the rest."""
    answers = []
    script = rehearsal.at(journey_saga, "book_flight")
    getattr(script, when)(lambda handle: answers.append((handle.status, handle.cancel())))
    handle = rehearsal.run(journey_saga, oslo)
    assert answers == [("running", True)]
    assert (handle.status, handle.outcome) == ("compensated", "cancelled")
    assert rehearsal.done == ["book_room", "book_flight"]
    assert rehearsal.undone == ["book_flight", "book_room"]
    assert effects == []


def test_an_action_comes_on_its_side_of_the_call_and_at_its_attempt(rehearsal):
    seen = []
    rehearsal.at(journey_saga, "book_room").raises(NotDone()).before(
        lambda _: seen.append(("before", list(effects))), attempt=2
    ).after(lambda _: seen.append(("after", list(effects))), attempt=2)
    rehearsal.run(journey_saga, oslo)
    rehearsal.run(journey_saga, oslo)
    assert seen == [("before", []), ("after", ["book_room"])]


def test_what_an_action_raises_comes_out_of_a_cancel_too(rehearsal):
    rehearsal.at(journey_saga, "book_flight").raises(NotDone())
    rehearsal.at(journey_saga, "book_room:undo").before(lambda _: {}["nothing"])
    handle = rehearsal.run(journey_saga, oslo, within=0)
    with pytest.raises(KeyError, match="nothing"):
        handle.cancel()


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_an_action_raises_is_the_tests_failure(rehearsal, when):
    getattr(rehearsal.at(journey_saga, "book_room"), when)(lambda _: {}["nothing"])
    with pytest.raises(KeyError, match="nothing"):
        rehearsal.run(journey_saga, oslo)
    assert rehearsal.run(journey_saga, oslo).outcome == "completed"
