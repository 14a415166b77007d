"""Causes: errors without their ids and numbers."""

from dataclasses import replace

import pytest

from amends.log.queries.causes import Cause, check_cause, error_of, pattern_of
from amends.log.queries.summary import SagaSummary

ANSWER = [
    "2000", "stuck", "1000", "order", "backward", "", "500", "lost", "pay[3]:undo failed for good", "Late: over",
    "pay[3]:undo", "stuck", "20", "", '{"type":"Away","message":"no o-7,\\n404"}', "53", "", "", "0", "", "", "", "",
]  # fmt: skip
STUCK = SagaSummary.read("o-7", ANSWER)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("Away: nobody answers", "Away: nobody answers"),
        ("HTTP2Error: stream 17 was reset", "HTTP2Error: stream <n> was reset"),
        ("Away: 10.0.0.7:8080 in 30.5s", "Away: <n>:<n> in <n>"),
        ("NoStock: 3 of sku-1047, 12,50 EUR.", "NoStock: <n> of <id>, <n> EUR."),
        ("Away: 0d6f2c1e-77aa-4b0c-9d5e-0a1b2c3d4e5f", "Away: <id>"),
        ("Away: 12345678901234567890", "Away: <id>"),
        ("Away: GET https://bank/v2/charges/ch_1N", "Away: GET https://bank/<id>/charges/<id>"),
        ("Away: the saga ada, not adam", "Away: the saga <id>, not adam"),
    ],
)
def test_what_differs_from_saga_to_saga_is_left_out(text, pattern):
    assert pattern_of(text, "ada") == pattern


def test_a_cause_is_where_it_stands_and_what_went_wrong_there():
    assert Cause.of(STUCK) == Cause(saga="order", record="pay:undo", error="Away: no <id>, <n>")


def test_a_parked_saga_has_its_reason():
    assert error_of(STUCK) == "Away: no o-7, 404"
    assert error_of(replace(STUCK, state=None)) == "pay[3]:undo failed for good"


def test_the_key_is_the_same_in_every_process_and_differs_with_each_part():
    cause = Cause(saga="order", record="pay:undo", error="Away: no <id>")
    assert cause.key == "c19bd4be"
    others = [replace(cause, saga="o"), replace(cause, record=None), replace(cause, error=None)]
    assert len({cause.key, *(each.key for each in others)}) == 4


@pytest.mark.parametrize("text", ["", "1b9f6c7", "1b9f6c7E", "1b9f6c7e "])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(ValueError, match="is no cause: take its 8 digits"):
        check_cause(text)
