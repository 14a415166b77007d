"""What is read of a saga at one moment, and what a cancel would leave to be undone."""

import pytest

from amends.errors import UnknownSaga
from amends.log.history import Event
from tests.support.log_driver import Journey
from tests.support.log_view import view_of


def examine(journey: Journey):
    return journey.log.examine_saga(journey.id)


def cancel(journey: Journey):
    error = '{"type":"Cancelled","message":"someone cancelled the saga"}'
    journey.log.control.cancel_saga(journey.id, error=error, actor={})


def test_a_new_saga_has_all_its_steps_before_it_and_nothing_to_undo(journey):
    standing = examine(journey)
    started = standing.history[0]
    assert standing.remaining == ["check_traveller", "travel", "postcard", "hotel"]
    assert standing.owed == ()
    assert (standing.entry.id, standing.entry.status) == (journey.id, "pending")
    assert [event.name for event in standing.history] == ["saga.started"]
    assert isinstance(started, Event)
    assert standing.looked_at is not None
    assert standing.looked_at - started.at == pytest.approx(10, abs=0.01)


def test_an_unknown_saga_is_said_to_be_unknown(log):
    with pytest.raises(UnknownSaga):
        log.examine_saga("nobody")


PLOTS = {
    "nothing is claimed": [],
    "a step without an undo runs": [("claim", "check_traveller")],
    "a step with an undo runs": [("do", "check_traveller"), ("claim", "travel")],
    "one waits after an attempt nobody knows of": [
        *[("do", "check_traveller"), ("claim", "travel"), ("retry", "travel")],
    ],
    "the primary failed without effect": [("do", "check_traveller"), ("lose", "travel")],
    "the fallback runs": [
        *[("do", "check_traveller"), ("lose", "travel"), ("claim", "travel:fallback")],
    ],
    "the primary is to be voided": [("do", "check_traveller"), ("doubt", "travel")],
    "the primary is being voided": [
        *[("do", "check_traveller"), ("doubt", "travel"), ("claim", "travel:undo")],
    ],
    "the primary was voided, the fallback done": [
        *[("do", "check_traveller"), ("doubt", "travel"), ("do", "travel:undo")],
        ("do", "travel:fallback"),
    ],
    "two are done, the last runs": [
        *[("do", "check_traveller"), ("do", "travel"), ("do", "postcard"), ("claim", "hotel")],
    ],
}


@pytest.fixture(params=PLOTS)
def underway(request, journey):
    for act, path in PLOTS[request.param]:
        if act == "doubt":
            journey.lose(path, unknown=True)
        else:
            getattr(journey, act)(path)
    return journey


RECORDS = [
    (n, code, name + suffix)
    for n, name in enumerate(("check_traveller", "travel", "postcard", "hotel"), 1)
    for code, suffix in (("", ""), ("u", ":undo"), ("f", ":fallback"), ("fu", ":fallback:undo"))
]


def settle(journey):
    """Let the activity that runs take effect; an undo that runs is left running."""
    paths = {f"{n}{code}.s": path for n, code, path in RECORDS}
    for field, value in examine(journey).entry.fields.items():
        if field in paths and value == "running" and not field.endswith("u.s"):
            journey.complete(paths[field])


def test_what_a_cancel_would_leave_is_what_it_leaves(underway):
    owed = list(examine(underway).owed)
    cancel(underway)
    settle(underway)
    assert list(examine(underway).remaining) == owed


def test_reading_changes_nothing(underway):
    def keys():
        return [underway.client.dump(key) for key in view_of(underway.log).keys_of(underway.id)]

    before = keys()
    examine(underway)
    assert keys() == before


def test_nothing_remains_of_a_saga_that_has_ended(journey):
    journey.do("check_traveller", "travel", "postcard", "hotel")
    standing = examine(journey)
    assert (standing.remaining, standing.owed, standing.looked_at) == ((), (), None)


def test_of_a_saga_that_goes_back_a_cancel_changes_nothing(journey):
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel")
    standing = examine(journey)
    assert (standing.remaining, standing.owed) == (["travel:undo"], ())
