"""When a message is lost: the rule, fact by fact."""

import pytest

from amends.log.in_flight import Waiting
from amends.log.liveness import PUBLISHED_WITHIN, Hand, Verdict, judge_message
from tests.support.engine_saga import job_saga

SENT = 1000.0
LATER = SENT + PUBLISHED_WITHIN + 0.001


def judged(*, times=1, is_overdue=False, **facts):
    message = Waiting(
        itinerary=job_saga.itinerary,
        path="a",
        is_overdue=is_overdue,
        sent_at=SENT,
        times=times,
        number=1,
        is_advance=False,
    )
    known = {
        "hand": Hand.NOBODYS,
        "age": 0.0,
        "is_all_told": True,
        "length": 1000,
        "is_consumed": True,
        "watermark": 0.0,
    }
    return judge_message(message, **(known | facts))


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({}, Verdict.UNDER_WAY),
        ({"is_overdue": True}, Verdict.SUSPECT),
        ({"length": 0}, Verdict.LOST),
        ({"length": 0, "is_consumed": False}, Verdict.LOST),
        ({"length": None, "is_overdue": True}, Verdict.SUSPECT),
        ({"times": 0}, Verdict.LOST),
        ({"times": 0, "hand": Hand.HELD}, Verdict.LOST),
    ],
)
def test_a_message_that_no_worker_has_named_is_judged_by_its_queue(facts, verdict):
    assert judged(**facts) is verdict


@pytest.mark.parametrize(
    ("watermark", "verdict"),
    [
        (SENT - 60, Verdict.UNDER_WAY),
        (SENT, Verdict.UNDER_WAY),
        (SENT + PUBLISHED_WITHIN, Verdict.UNDER_WAY),  # it may have been published as late
        (LATER, Verdict.LOST),
    ],
)
def test_a_queue_that_has_passed_a_message_has_lost_it(watermark, verdict):
    assert judged(watermark=watermark) is verdict


@pytest.mark.parametrize(
    "facts", [{}, {"length": 0}, {"watermark": LATER}, {"is_overdue": True}, {"is_consumed": False}]
)
def test_what_a_live_worker_has_is_under_way_and_what_a_dead_one_had_is_lost(facts):
    assert judged(hand=Hand.HELD, **facts) is Verdict.UNDER_WAY
    assert judged(hand=Hand.DROPPED, **facts) is Verdict.LOST


def test_a_process_that_has_a_message_for_ten_minutes_and_does_not_claim_it_may_hang():
    assert judged(hand=Hand.HELD, age=601, is_overdue=True) is Verdict.SUSPECT
    assert judged(hand=Hand.HELD, age=599, is_overdue=True) is Verdict.UNDER_WAY
    assert judged(hand=Hand.HELD, age=601, length=0) is Verdict.UNDER_WAY  # that of a later copy


def test_a_message_that_was_put_back_is_where_later_ones_have_passed_it():
    assert judged(hand=Hand.RETURNED, watermark=LATER) is Verdict.UNDER_WAY
    assert judged(hand=Hand.RETURNED, watermark=LATER, is_overdue=True) is Verdict.SUSPECT
    assert judged(hand=Hand.RETURNED, length=0) is Verdict.LOST


@pytest.mark.parametrize("watermark", [0.0, LATER])
def test_a_queue_that_no_live_worker_consumes_gets_no_copies(watermark):
    facts = {"is_overdue": True, "is_consumed": False, "watermark": watermark}
    assert judged(**facts) is Verdict.UNDER_WAY


@pytest.mark.parametrize("facts", [{"length": 0}, {"watermark": LATER}])
def test_while_a_worker_does_not_tell_what_it_has_nothing_is_certain(facts):
    assert judged(is_all_told=False, **facts) is Verdict.UNDER_WAY
    assert judged(is_all_told=False, is_overdue=True, **facts) is Verdict.SUSPECT
