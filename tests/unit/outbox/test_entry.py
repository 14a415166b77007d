"""What an entry of the outbox keeps of a start."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from amends.errors import UnreadableData
from amends.outbox.entry import FORMAT, Entry


def entry(text="{}", **when):
    return Entry.of("order-1", "order", text, **{"at": None, "after": None, **when})


def test_it_gives_back_the_input_as_it_was():
    text = '{"name":"Łódź \U0001f600 \\u0000","amount":1.5,"many":12345678901234567890}'
    fields, _ = entry(text).read(0.0)
    assert fields == json.loads(text)


def test_its_document_is_ascii_for_databases_of_any_encoding():
    assert entry('{"name":"Łódź"}').document.isascii()


def test_it_gives_back_a_time_in_its_zone():
    at = datetime(2027, 1, 31, 9, tzinfo=UTC)
    assert entry(at=at).read(0.0)[1] == {"at": at, "after": None}


@pytest.mark.parametrize(
    ("now", "after"), [(100.0, 60.0), (130.0, 30.0), (500.0, 0.0), (90.0, 60.0)]
)
def test_seconds_from_its_start_are_those_that_are_left(now, after):
    kept = replace(entry(after=60.0), written_at=100.0)
    assert kept.read(now)[1] == {"at": None, "after": after}


def test_a_format_of_another_release_is_refused():
    newer = replace(entry(), document=json.dumps({"format": FORMAT + 1}))
    with pytest.raises(UnreadableData, match="let workers of the release that wrote it deliver it"):
        newer.read(0.0)


def test_each_has_an_id_of_its_own():
    assert entry().entry_id != entry().entry_id
