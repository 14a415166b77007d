"""Whether `explain` accounts for the time of an order, as a run of chaos judges."""

from types import SimpleNamespace

from amends.diagnosis.saga.times.segments import Cause, Segment, Times
from amends.log.history import Event
from tests.chaos.accounts import MANY, Account, draw_accounts


def event(name, at, record=None, **details):
    return Event(name=name, at=at, record=record, details=details)


HISTORY = (
    event("saga.started", 0.0),
    event("step.started", 60.0, "a", attempt=1, queued=60_000),
    event("step.completed", 70.0, "a"),
    event("saga.finished", 70.0),
)


def account(*segments, history=HISTORY, end=70.0):
    made = tuple(
        Segment(cause=cause, start=start, end=stop, record="a") for cause, start, stop in segments
    )
    times = Times(start=0.0, end=end, is_over=True, segments=made, path=made)
    return Account(saga_id="o-1", times=times, history=history)


GOOD = ((Cause.QUEUE, 0.0, 60.0), (Cause.CALL, 60.0, 70.0))


def test_time_that_events_bear_out_is_accounted_for():
    assert account(*GOOD).share == 1.0
    assert account(*GOOD).findings == []


def test_a_long_wait_in_a_queue_that_no_claim_told_of_is_not():
    history = [*HISTORY[:1], event("step.started", 60.0, "a", attempt=1), *HISTORY[2:]]
    found = account(*GOOD, history=history)
    assert found.share == 10 / 70
    assert found.findings == ["o-1: explain accounts for 14.3% of 70.0 s"]


def test_a_cancel_ends_a_wait_in_a_queue_that_no_claim_did():
    history = [HISTORY[0], event("saga.compensating", 60.0), event("saga.finished", 60.0)]
    assert account((Cause.QUEUE, 0.0, 60.0), history=history, end=60.0).findings == []


def test_what_is_unexplained_or_folded_is_not_accounted_for():
    for cause in (Cause.UNEXPLAINED, Cause.FOLDED):
        assert account((cause, 0.0, 60.0), (Cause.CALL, 60.0, 70.0)).findings


def test_what_does_not_add_up_is_found():
    (finding,) = account((Cause.CALL, 0.0, 69.0), end=69.0).findings
    assert finding == "o-1: what explain tells does not add up to the 70.000 s that it took"


def test_as_many_orders_are_drawn_and_a_seed_draws_the_same():
    orders = [
        SimpleNamespace(
            planned=SimpleNamespace(id=f"o-{n}"), times=account(*GOOD).times, history=HISTORY
        )
        for n in range(30)
    ]
    lost = SimpleNamespace(planned=SimpleNamespace(id="lost"), times=None, history=())
    drawn = [[each.saga_id for each in draw_accounts([lost, *orders], seed=7)] for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == MANY
    assert "lost" not in {
        each.saga_id for seed in range(20) for each in draw_accounts([lost, *orders], seed=seed)
    }
