"""The carrier of a saga's trace, as it is kept and as messages bring it."""

import json

import pytest

from amends.traces.carrier import (
    at_hand,
    carrier_of,
    header_members,
    message_headers,
    read,
    text_of,
)

PARENT = "00-95b77bc33dd64a655d000d713152571c-1e813be370111367-01"


def test_it_is_read_as_it_was_kept():
    headers = {"traceparent": PARENT, "baggage": "a=b"}
    assert read(text_of(headers)) == headers


def test_without_headers_there_is_none():
    assert text_of({}) == ""
    assert read("") == {}


def test_large_baggage_is_left_out():
    headers = {"traceparent": PARENT, "baggage": "a" * 5_000}
    assert read(text_of(headers)) == {"traceparent": PARENT}


def test_large_state_of_vendors_is_left_out_too():
    headers = {"traceparent": PARENT, "tracestate": "a" * 5_000, "baggage": "a=b"}
    assert read(text_of(headers)) == {"traceparent": PARENT}


@pytest.mark.parametrize("text", ["v2:abc", "{v2}", '["a"]'])
def test_a_message_brings_nothing_of_what_another_release_wrote(text):
    with at_hand({"saga": text}):
        assert header_members("saga") == ""


def test_what_is_large_without_baggage_is_none():
    assert text_of({"traceparent": "x" * 5_000}) == ""


@pytest.mark.parametrize("text", ["{", "[1]", "7"])
def test_what_another_release_wrote_is_none_rather_than_an_error(text):
    assert read(text) == {}


def test_a_saga_has_it_at_hand_inside_alone():
    with at_hand({"saga": "{}"}), at_hand({"another": "[]"}):
        assert (carrier_of("saga"), carrier_of("another")) == ("{}", "[]")
    assert carrier_of("saga") == ""


def test_a_message_brings_its_headers_and_others():
    with at_hand({"saga": text_of({"traceparent": PARENT})}):
        assert message_headers("saga", {"own": "1"}) == {"own": "1", "traceparent": PARENT}
        assert json.loads(f"{{{header_members('saga')}}}") == {"traceparent": PARENT}
    assert message_headers("saga") == {}
    assert header_members("saga") == ""


def test_sentry_finds_all_of_them_where_it_looks():
    with at_hand({"saga": text_of({"sentry-trace": "1-2-1"})}):
        headers = message_headers("saga", {"own": "1"})
    assert headers["headers"] == {"own": "1", "sentry-trace": "1-2-1"}
