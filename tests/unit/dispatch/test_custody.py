"""Whose hands a message is in, by the heartbeats of workers."""

import pytest

from amends.dispatch.custody import Custody, read_task_id, sagas_of
from amends.dispatch.messages import task_id
from amends.log.heartbeats import RECENT, Heartbeat
from amends.log.liveness import DEAD_AFTER, Hand

LIVES, DIED = 0.0, DEAD_AFTER + 1


def beat(*messages, age=LIVES, returned=(), queues=None, worker="w"):
    return Heartbeat(
        at=1000.0 - age,
        age=age,
        pids=frozenset(),
        messages=None if messages == (None,) else frozenset(messages),
        returned=frozenset(returned),
        queues=queues and frozenset(queues),
        worker=worker,
    )


def hand(*beats, saga_id="trip-1", path="pay", number=1, may_judge=True, **how):
    custody = Custody(beats, may_judge=may_judge, **how)
    return custody.hand_of(saga_id, path, number=number)


@pytest.mark.parametrize(
    "path", ["pay", "pay:undo", "pay:fallback:undo", "pay[3]:undo", "v1.2.pay"]
)
@pytest.mark.parametrize("saga_id", ["trip-1", "2024.05.01", "a.1", "7"])
def test_a_message_is_found_by_its_saga_and_path(saga_id, path):
    named = task_id(saga_id, 3, path)
    assert (saga_id, 3, path.replace(":", ".")) in read_task_id(named)
    assert hand(beat(named), saga_id=saga_id, path=path) is Hand.HELD
    assert hand(beat(named), saga_id=f"{saga_id}0", path=path) is Hand.NOBODYS
    assert hand(beat(named), saga_id=saga_id, path="book") is Hand.NOBODYS


def test_another_task_is_no_saga_s():
    assert list(read_task_id("0b8e2a4c-9b0c-4a7e-8a55-6d1f7a3a1c11")) == []


def test_the_message_that_publishes_what_remains_counts_too():
    assert hand(beat("trip-1.5.advance")) is Hand.HELD


@pytest.mark.parametrize(("number", "found"), [(2, Hand.HELD), (3, Hand.NOBODYS)])
def test_a_message_that_is_superseded_does_not_count(number, found):
    assert hand(beat("trip-1.2.pay"), number=number) is found


def test_what_a_dead_worker_had_is_dropped_unless_the_broker_gives_it_back():
    dead = beat("trip-1.1.pay", age=DIED)
    assert hand(dead) is Hand.DROPPED
    assert hand(dead, gives_back=True) is Hand.RETURNED
    assert hand(dead, beat("trip-1.1.pay", worker="another")) is Hand.HELD


def test_what_a_worker_put_back_is_in_its_queue_until_another_one_has_it():
    ended = beat(returned=["trip-1.1.pay"], age=DIED)
    assert hand(ended) is Hand.RETURNED
    assert hand(ended, beat("trip-1.1.pay", worker="another")) is Hand.HELD
    assert hand(ended, beat("trip-1.1.pay", worker="another", age=DIED)) is Hand.DROPPED


@pytest.mark.parametrize(
    ("age", "found"), [(DIED, Hand.HELD), (RECENT, Hand.HELD), (RECENT + 1, Hand.NOBODYS)]
)
def test_who_may_not_judge_takes_a_silent_worker_for_alive_for_a_while(age, found):
    assert hand(beat("trip-1.1.pay", age=age), may_judge=False) is found


@pytest.mark.parametrize(
    ("beats", "may"),
    [
        ([], True),
        ([beat(queues=["mail"])], False),
        ([beat(queues=["mail", "work"])], True),
        ([beat(queues=["mail"]), beat(queues=None)], True),  # of an earlier release
        ([beat(queues=["mail"]), beat(queues=["work"], age=DIED)], False),
    ],
)
def test_a_queue_may_be_consumed_unless_all_live_workers_say_they_do_not(beats, may):
    assert Custody(beats, may_judge=True).may_consume("work") is may


@pytest.mark.parametrize(
    ("second", "is_told"),
    [
        (beat("trip-1.1.pay"), True),
        (beat(None), False),
        (beat(None, queues=["work"]), False),
        (beat(None, queues=["mail"]), True),
        (beat(None, age=DIED), True),
    ],
)
def test_all_is_told_unless_a_live_worker_of_the_queue_has_too_much_to_tell(second, is_told):
    assert Custody([beat(), second], may_judge=True).is_all_told("work") is is_told


def test_what_workers_have_is_known_since_the_last_of_them_told():
    beats = [beat(), beat(age=3.0), beat(age=DIED)]
    assert Custody(beats, may_judge=True).told_at == pytest.approx(997.0)


def test_the_sagas_of_a_dead_worker_are_named():
    assert set(sagas_of(beat("trip-1.1.pay", "trip-2.4.advance", "plain"))) == {"trip-1", "trip-2"}
