"""The events of a saga's history."""

import json
import re

import pytest

from amends import Event
from amends.backend.scripts import SCRIPTS
from amends.log.history import NAMES

WRITTEN = re.compile(r"""['"]((?:saga|step)\.[a-z]+)['"]""")


def test_an_event_is_read_as_the_scripts_write_it():
    text = (
        '{"at":1700000000123,"name":"step.retrying","record":"b:fallback","attempt":2,"wait":500}'
    )
    assert Event.from_json(text) == Event(
        name="step.retrying",
        at=1700000000.123,
        record="b:fallback",
        details={"attempt": 2, "wait": 500},
    )


def test_an_event_of_the_saga_itself_has_no_record():
    event = Event.from_json('{"at":0,"name":"saga.finished","status":"completed"}')
    assert (event.record, event.details) == (None, {"status": "completed"})


@pytest.mark.parametrize("details", [{}, {"error": {"type": "OSError", "message": 'a "b"'}}])
def test_every_member_of_an_event_is_kept(details):
    text = json.dumps({"at": 1500, "name": "step.failed", "record": "a", **details})
    event = Event.from_json(text)
    again = {"at": event.at * 1000, "name": event.name, "record": event.record, **event.details}
    assert again == json.loads(text)


def test_the_scripts_write_these_events_and_no_others():
    written = {name for text in SCRIPTS.values() for name in WRITTEN.findall(text)}
    assert written == set(NAMES)


def test_a_name_is_listed_once():
    assert len(set(NAMES)) == len(NAMES)
