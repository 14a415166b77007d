"""Where the time of a saga went, by what its history says: each cause is played on a log whose clock the test moves."""

import json
import uuid
from itertools import takewhile

import fakeredis
import pytest
import redis
from celery import Celery

from amends import Child, Delay, Parallel
from amends.definition.serialization import canonical_json
from amends.diagnosis.saga.times.accounting import times_of
from amends.diagnosis.saga.times.segments import Cause
from amends.log.answers import Origin, Run
from amends.log.delivery import NOWHERE, Delivery
from amends.log.owner import process_members
from amends.log.saga_log import SagaLog
from amends.testing.clock import Clock
from tests.support.log_driver import ERROR
from tests.support.log_view import on_clock
from tests.support.sagas.shapes import (
    Order,
    approval,
    doubled,
    each_item,
    find_wrapping,
    items_of,
    shape_of,
    step,
    verified,
)
from tests.support.stage_driver import PART, Course

LINE = shape_of("timed_line", step("a"), step("b"))
SIGNALLED = shape_of("timed_signal", step("a"), approval(), step("b"))
DELAYED = shape_of("timed_delay", step("a"), Delay(30.0, name="nap"), step("b"))
WITH_CHILD = shape_of(
    "timed_child", step("a"), Child(LINE, name="kid"), outputs={"job_id": "input.job_id"}
)
PARALLEL = shape_of(
    "timed_parallel", step("a"), Parallel(step("c"), [step("d"), step("e")]), step("b")
)
ITEMS = shape_of("timed_items", step("a"), each_item(of_stage={"concurrency": 2}), step("b"))
VERIFIED = shape_of("timed_verified", verified("a", settle=20.0), step("b"))
VERIFIED_ITEMS = shape_of(
    "timed_verified_items",
    step("a"),
    each_item(verify=find_wrapping, settle=20.0, of_stage={"concurrency": 2}),
    step("b"),
)
DOUBLED = shape_of("timed_doubled", doubled("a"), step("b"))

_APP = Celery(set_as_current=False, changes={"amends_backend": "memory://"})

DIED = json.dumps({"type": "WorkerLostError", "message": "it died"})
OPEN = json.dumps({"type": "CircuitOpenError", "message": "open", "circuit": "bank"})


class Backward(Clock):
    """A clock that may go back, as that of a replica that takes over."""

    def go_back(self, seconds):
        self._milliseconds -= round(seconds * 1000)


class Play(Course):
    """A saga that a test plays as workers would, and moves its clock."""

    def __init__(self, log, client, clock, saga, **given):
        self.clock, self._begins = clock, given.pop("begins", None)
        super().__init__(log, client, saga, **given)
        self.began = clock.now

    def start(self):
        order = Order(job_id=self.id, **self._given)
        begins = Delivery(text=self._begins, destination=NOWHERE) if self._begins else None
        text = canonical_json(order.model_dump(mode="json"))
        return self.log.starts.start_saga(self.id, self._saga.itinerary, text, begins)

    def wait(self, seconds):
        self.clock.advance(seconds)

    def take(self, path, *, retries=0, number=None, told=True):
        """Claim a record for its message, as a worker does."""
        sent = self._number(path) if number is None else number
        owner = f"w:7:{self.id}.{sent}.{path.replace(':', '.')}"
        answer = self.log.claim_step(
            self.id,
            path,
            token="t",
            owner=owner,
            retries=retries,
            process=process_members("w@host", 7),
            origin=Origin(queue="work" if told else ""),
        )
        assert isinstance(answer, Run), f"{path}: {answer}"

    def _number(self, path):
        """Tell the number of a record's last message."""
        standing = self.log.examine_saga(self.id)
        branch = standing.entry.itinerary.branch_of(path)
        field = standing.entry.fields.get(branch) if branch else None
        last = int(field.split("|")[2] if field else standing.entry.fields["messages"])
        itinerary, remaining = standing.entry.itinerary, standing.remaining
        if branch:
            remaining = [each for each in remaining if itinerary.branch_of(each) == branch]

        def is_in_chain(each):
            stands = itinerary.records[each].step.stands
            return not stands and itinerary.branch_of(each) == branch

        chain = [*takewhile(is_in_chain, remaining)]
        return last - (len(chain) - chain.index(path)) + 1

    def call(self, path, seconds, **how):
        """Claim a record, and let its call take so long and succeed."""
        self.take(path, **how)
        self.wait(seconds)
        self.complete(path, output=PART)

    def put_off(self, path, seconds, *, error=ERROR, cost="attempt"):
        """End an attempt that is tried again."""
        self.log.retry_step(
            self.id, path, token="t", error=error, wait=seconds, unknown=True, cost=cost
        )

    def publish(self):
        """Publish what remains, as `amends.advance` does."""
        return self.look()

    def times(self):
        standing = self.log.examine_saga(self.id)
        found = times_of(_APP, standing)
        assert found.path[0].start == found.start == pytest.approx(self.began)
        assert found.path[-1].end == found.end == pytest.approx(self.clock.now)
        assert all(
            one.end == two.start for one, two in zip(found.path, found.path[1:], strict=False)
        )
        return found

    def told(self):
        """Return the path as a row of cause, name or record, and seconds."""
        return [
            (each.cause.value, each.name or each.record, round(each.seconds, 3))
            for each in self.times().path
        ]


@pytest.fixture(params=["fakeredis", "redis"])
def client(request):
    if request.param == "fakeredis":
        yield fakeredis.FakeRedis(decode_responses=True)
        return
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url, decode_responses=True) as real:
        yield real


@pytest.fixture
def play(client):
    """Give a function that starts a saga in a log of its own."""
    clock = Backward()
    root = f"times{uuid.uuid4().hex[:12]}"
    log = on_clock(SagaLog(client, root=root), clock)
    yield lambda saga, **given: Play(log, client, clock, saga, **given)
    if keys := client.keys(f"{root}*"):
        client.delete(*keys)


def test_messages_wait_in_their_queues_and_calls_are_made(play):
    saga = play(LINE)
    saga.wait(3.0)
    saga.call("a", 2.0)
    saga.wait(7.0)
    saga.call("b", 1.5)
    assert saga.told() == [
        ("queue", "celery", 3.0),
        ("call", "a", 2.0),
        ("queue", "celery", 7.0),
        ("call", "b", 1.5),
    ]
    assert [(each.cause, each.name, each.seconds) for each in saga.times().shares] == [
        (Cause.QUEUE, "celery", pytest.approx(10.0)),
        (Cause.CALL, None, pytest.approx(3.5)),
    ]
    assert saga.times().is_over
    assert saga.times().explained == pytest.approx(saga.times().total) == 13.5


def test_an_attempt_names_its_number_its_worker_and_its_process(play):
    saga = play(LINE)
    saga.take("a")
    saga.wait(1.0)
    (call,) = saga.times().path
    assert (call.attempt, call.worker, call.pid, call.record) == (1, "w@host", 7, "a")


def test_a_retry_waits_for_its_time_and_then_in_its_queue(play):
    saga = play(LINE)
    saga.take("a")
    saga.wait(1.0)
    saga.put_off("a", 10.0)
    saga.wait(14.0)
    saga.call("a", 1.0, retries=1)
    assert saga.told() == [
        ("call", "a", 1.0),
        ("retry", "a", 10.0),
        ("queue", "celery", 4.0),
        ("call", "a", 1.0),
    ]


def test_a_circuit_that_is_open_is_named(play):
    saga = play(LINE)
    saga.take("a")
    saga.put_off("a", 10.0, error=OPEN, cost="nothing")
    saga.wait(12.0)
    saga.call("a", 1.0, retries=1)
    assert saga.told() == [("circuit", "bank", 10.0), ("queue", "celery", 2.0), ("call", "a", 1.0)]


def test_an_attempt_whose_process_died_is_lost_until_that_is_noticed(play):
    saga = play(LINE)
    saga.take("a")
    saga.wait(25.0)
    saga.put_off("a", 0.0, error=DIED, cost="death")
    saga.wait(1.0)
    saga.call("a", 1.0, retries=1)
    assert saga.told() == [("lost", "a", 25.0), ("queue", "celery", 1.0), ("call", "a", 1.0)]


def test_a_message_that_was_lost_is_told_until_its_copy(play):
    saga = play(LINE)
    saga.call("a", 1.0)
    saga.wait(40.0)
    saga.publish()
    saga.wait(2.0)
    saga.call("b", 1.0)
    assert saga.told()[1:] == [("message", "b", 40.0), ("queue", "celery", 2.0), ("call", "b", 1.0)]


@pytest.mark.parametrize("line", [LINE, VERIFIED], ids=["plain", "shaped"])
def test_a_message_that_was_copied_and_came_all_the_same_was_in_its_queue_throughout(play, line):
    saga = play(line)
    saga.call("a", 1.0)
    saga.wait(40.0)
    saga.publish()
    saga.wait(2.0)
    saga.call("b", 1.0, number=2)
    assert saga.told()[1:] == [("queue", "celery", 42.0), ("call", "b", 1.0)]


def test_what_the_engine_needs_to_publish_is_its_own(play):
    saga = play(LINE)
    saga.call("a", 1.0)
    saga.wait(3.0)
    saga.publish()
    saga.wait(2.0)
    saga.call("b", 1.0)
    assert saga.told()[1:] == [("relay", "b", 3.0), ("queue", "celery", 2.0), ("call", "b", 1.0)]


def test_a_wait_for_a_signal_is_one_and_what_follows_is_published(play):
    saga = play(SIGNALLED)
    saga.call("a", 1.0)
    saga.publish()
    saga.wait(50.0)
    saga.signal("approval")
    saga.wait(1.0)
    saga.publish()
    saga.call("b", 1.0)
    assert saga.told()[1:] == [
        ("signal", "approval", 50.0),
        ("relay", "b", 1.0),
        ("call", "b", 1.0),
    ]


def test_a_wait_for_a_time_is_a_delay(play):
    saga = play(DELAYED)
    saga.call("a", 1.0)
    saga.publish()
    saga.wait(30.0)
    saga.publish()
    saga.call("b", 1.0)
    assert saga.told()[1:] == [("delay", "nap", 30.0), ("call", "b", 1.0)]


def test_a_saga_that_is_paused_is_paused_but_for_what_runs(play):
    saga = play(LINE)
    saga.take("a")
    saga.wait(1.0)
    saga.log.control.pause_saga(saga.id, actor={})
    saga.wait(2.0)
    saga.complete("a", output=PART)
    saga.wait(20.0)
    saga.log.control.resume_saga(saga.id, actor={})
    saga.publish()
    saga.wait(3.0)
    saga.call("b", 1.0)
    assert saga.told() == [
        ("call", "a", 3.0),
        ("paused", "b", 20.0),
        ("queue", "celery", 3.0),
        ("call", "b", 1.0),
    ]


def test_a_saga_that_failed_for_good_is_stuck_until_an_operator_acts(play):
    saga = play(LINE)
    saga.call("a", 1.0)
    saga.take("b")
    saga.wait(1.0)
    saga.fail("b", refused=True)
    saga.publish()
    saga.take("a:undo")
    saga.wait(1.0)
    saga.fail("a:undo", unknown=True)
    saga.wait(100.0)
    saga.retry_saga()
    saga.publish()
    saga.call("a:undo", 1.0, retries=1)
    assert saga.told() == [
        ("call", "a", 1.0),
        ("call", "b", 1.0),
        ("call", "a:undo", 1.0),
        ("stuck", "a:undo", 100.0),
        ("call", "a:undo", 1.0),
    ]


def test_a_saga_that_is_parked_is_stuck_until_a_worker_can_run_it(play):
    saga = play(LINE)
    saga.wait(1.0)
    saga.log.note_unregistered(saga.id, "a", task="t", most=2)
    saga.wait(12.0)
    saga.publish()
    saga.log.note_unregistered(saga.id, "a", task="t", most=2)
    assert saga.status == "stuck"
    saga.wait(60.0)
    saga.log.unpark_saga(saga.id)
    saga.publish()
    saga.call("a", 1.0)
    saga.call("b", 1.0)
    assert saga.told() == [
        ("queue", "celery", 1.0),
        ("unregistered", "a", 10.0),
        ("queue", "celery", 2.0),
        ("stuck", None, 60.0),
        ("call", "a", 1.0),
        ("call", "b", 1.0),
    ]


def test_a_cancel_ends_a_wait_in_the_queue(play):
    saga = play(LINE)
    saga.wait(5.0)
    saga.cancel()
    assert saga.told() == [("queue", "celery", 5.0)]
    assert saga.times().path[0].record == "a"


def test_a_cancel_ends_a_wait_for_a_retry(play):
    saga = play(LINE)
    saga.take("a")
    saga.put_off("a", 60.0)
    saga.wait(5.0)
    saga.cancel()
    saga.publish()
    saga.wait(1.0)
    saga.call("a:undo", 2.0)
    assert saga.told() == [("retry", "a", 5.0), ("queue", "celery", 1.0), ("call", "a:undo", 2.0)]


def test_an_operators_retry_ends_the_wait_for_an_attempt(play):
    saga = play(LINE)
    saga.take("a")
    saga.put_off("a", 60.0)
    saga.wait(5.0)
    saga.retry_saga()
    saga.publish()
    saga.wait(1.0)
    saga.call("a", 2.0, retries=1)
    assert saga.told()[:3] == [("retry", "a", 5.0), ("queue", "celery", 1.0), ("call", "a", 2.0)]


def test_before_a_verification_the_receiver_has_its_time(play):
    saga = play(VERIFIED)
    saga.take("a")
    saga.wait(1.0)
    saga.put_off("a", 5.0)
    saga.wait(23.0)
    saga.publish()
    saga.wait(2.0)
    saga.take("a:verify", retries=9)
    saga.wait(1.0)
    saga.complete("a:verify", output=PART)
    saga.publish()
    saga.call("b", 1.0)
    assert saga.told() == [
        ("call", "a", 1.0),
        ("delay", "a:verify", 20.0),
        ("relay", "a:verify", 3.0),
        ("queue", "celery", 2.0),
        ("call", "a:verify", 1.0),
        ("call", "b", 1.0),
    ]


def test_the_branch_decides_that_the_others_are_waited_for(play):
    saga = play(PARALLEL)
    saga.call("a", 1.0)
    saga.publish()
    saga.take("c")
    saga.take("d")
    saga.wait(2.0)
    saga.complete("d", output=PART)
    saga.publish()
    saga.wait(3.0)
    saga.complete("c", output=PART)
    saga.wait(6.0)
    saga.call("e", 4.0)
    saga.publish()
    saga.call("b", 1.0)
    assert saga.told() == [
        ("call", "a", 1.0),
        ("call", "d", 2.0),
        ("queue", "celery", 9.0),
        ("call", "e", 4.0),
        ("call", "b", 1.0),
    ]
    (c,) = saga.times().by_record["c"]
    assert (c.cause, c.seconds) == (Cause.CALL, 5.0)


def test_a_branch_whose_first_message_was_lost_comes_after_what_was_before_the_stage(play):
    saga = play(PARALLEL)
    saga.call("a", 1.0)
    saga.publish()
    saga.call("c", 5.0)
    saga.wait(30.0)
    saga.log.dispatch_saga(saga.id, longest_wait=300.0, lost=["p2.2"])
    saga.call("d", 1.0)
    saga.call("e", 1.0)
    saga.publish()
    saga.call("b", 1.0)
    assert saga.told() == [
        ("call", "a", 1.0),
        ("message", "d", 35.0),
        ("call", "d", 1.0),
        ("call", "e", 1.0),
        ("call", "b", 1.0),
    ]


def test_an_item_that_waits_for_a_place_comes_after_the_one_that_gave_it(play):
    saga = play(ITEMS, items=items_of("solid", "solid", "solid"))
    saga.call("a", 1.0)
    saga.publish()
    saga.take("pack[1]")
    saga.take("pack[2]")
    saga.wait(3.0)
    saga.complete("pack[2]", output=PART)
    saga.wait(1.0)
    saga.complete("pack[1]", output=PART)
    saga.take("pack[3]")
    saga.wait(5.0)
    saga.complete("pack[3]", output=PART)
    saga.publish()
    saga.call("b", 1.0)
    assert saga.told() == [
        ("call", "a", 1.0),
        ("call", "pack[2]", 3.0),
        ("queue", "celery", 1.0),
        ("call", "pack[3]", 5.0),
        ("call", "b", 1.0),
    ]


def test_a_record_of_a_branch_comes_after_its_own_whatever_gave_a_place_meanwhile(play):
    saga = play(VERIFIED_ITEMS, items=items_of("solid", "solid", "solid"))
    saga.call("a", 1.0)
    saga.publish()
    saga.take("pack[1]")
    saga.put_off("pack[1]", 5.0)
    saga.wait(3.0)
    saga.call("pack[2]", 7.0)
    saga.call("pack[3]", 1.0)
    saga.wait(9.0)
    saga.log.dispatch_saga(saga.id, longest_wait=300.0, lost=["p2.1"])
    saga.take("pack[1]:verify", retries=9)
    saga.wait(2.0)
    saga.complete("pack[1]:verify", output=PART)
    saga.publish()
    saga.call("b", 1.0)
    assert [each[:2] for each in saga.told()] == [
        ("call", "a"),
        ("delay", "pack[1]:verify"),
        ("call", "pack[1]:verify"),
        ("call", "b"),
    ]


def test_the_undo_comes_after_what_still_ran_as_the_saga_turned_back(play):
    saga = play(PARALLEL)
    saga.call("a", 1.0)
    saga.publish()
    saga.take("c")
    saga.take("d")
    saga.wait(1.0)
    saga.fail("d", refused=True)
    saga.wait(8.0)
    saga.complete("c", output=PART)
    saga.publish()
    saga.call("c:undo", 1.0)
    saga.publish()
    saga.call("a:undo", 1.0)
    assert saga.told() == [
        ("call", "a", 1.0),
        ("call", "c", 9.0),
        ("call", "c:undo", 1.0),
        ("call", "a:undo", 1.0),
    ]


def test_a_fallback_comes_after_its_primary(play):
    saga = play(DOUBLED)
    saga.take("a")
    saga.wait(1.0)
    saga.fail("a")
    saga.publish()
    saga.wait(2.0)
    saga.call("a:fallback", 3.0)
    assert saga.told()[:3] == [
        ("call", "a", 1.0),
        ("queue", "celery", 2.0),
        ("call", "a:fallback", 3.0),
    ]


def test_a_delayed_start_is_a_delay(play):
    saga = play(LINE, begins="+60000")
    saga.wait(10.0)
    assert saga.told() == [("delay", None, 10.0)]
    saga.wait(53.0)
    saga.publish()
    saga.wait(2.0)
    saga.call("a", 1.0)
    assert saga.told() == [
        ("delay", None, 60.0),
        ("relay", "a", 3.0),
        ("queue", "celery", 2.0),
        ("call", "a", 1.0),
    ]


def test_a_step_that_an_operator_skips_was_waited_for_until_then(play):
    saga = play(LINE)
    saga.take("a")
    saga.put_off("a", 60.0)
    saga.wait(20.0)
    saga.skip("a", PART)
    saga.publish()
    saga.call("b", 1.0)
    assert saga.told() == [("retry", "a", 20.0), ("call", "b", 1.0)]


def test_a_child_that_its_parent_turned_back_had_ended_in_between(play):
    saga = play(LINE)
    saga.log.adopt_saga(saga.id, "parent", "kid")
    saga.call("a", 1.0)
    saga.call("b", 1.0)
    assert saga.told() == [("call", "a", 1.0), ("call", "b", 1.0)]
    saga.wait(40.0)
    saga.log.turn_saga(saga.id, error=ERROR)
    saga.publish()
    saga.call("b:undo", 1.0)
    saga.call("a:undo", 1.0)
    assert saga.told()[2:] == [
        ("ended", None, 40.0),
        ("call", "b:undo", 1.0),
        ("call", "a:undo", 1.0),
    ]


def test_a_child_is_waited_for(play):
    saga = play(WITH_CHILD)
    saga.call("a", 1.0)
    saga.publish()
    saga.wait(9.0)
    assert saga.told()[1:] == [("child", "kid", 9.0)]


@pytest.mark.parametrize(
    ("moves", "told"),
    [
        (lambda saga: saga.take("a"), ("call", "a", 5.0)),
        (lambda saga: None, ("queue", "celery", 5.0)),
        (lambda saga: (saga.take("a"), saga.put_off("a", 60.0)), ("retry", "a", 5.0)),
        (
            lambda saga: (saga.take("a"), saga.put_off("a", 60.0, error=OPEN)),
            ("circuit", "bank", 5.0),
        ),
        (lambda saga: saga.log.control.pause_saga(saga.id, actor={}), ("paused", "a", 5.0)),
    ],
    ids=["call", "queue", "retry", "circuit", "paused"],
)
def test_one_that_has_not_ended_is_told_up_to_now(play, moves, told):
    saga = play(LINE)
    moves(saga)
    saga.wait(5.0)
    assert saga.told() == [told]
    assert not saga.times().is_over


def test_of_branches_that_have_not_ended_the_one_at_rest_the_longest_decides(play):
    saga = play(PARALLEL)
    saga.call("a", 1.0)
    saga.publish()
    saga.take("c")
    saga.wait(4.0)
    saga.take("d")
    saga.wait(1.0)
    assert saga.told() == [("call", "a", 1.0), ("call", "c", 5.0)]


def test_a_claim_of_an_earlier_release_is_told_as_in_its_queue(play):
    saga = play(LINE)
    saga.wait(4.0)
    saga.call("a", 1.0, told=False)
    assert saga.told()[:2] == [("queue", "celery", 4.0), ("call", "a", 1.0)]


def test_what_was_folded_explains_nothing_and_the_rest_is_the_least(play):
    saga = play(LINE)
    for n in range(60):
        saga.take("a", retries=n)
        saga.put_off("a", 10.0, error=OPEN, cost="nothing")
        saga.wait(10.0)
    saga.call("a", 1.0, retries=60)
    found = saga.times()
    assert found.is_folded
    assert found.explained < found.total
    shares = {each.cause: each.seconds for each in found.shares}
    whole = [each for each in saga.log.read_history(saga.id) if each.first_at is None]
    assert shares[Cause.CIRCUIT] == 10.0 * sum(each.name == "step.retrying" for each in whole)
    assert sum(shares.values()) == pytest.approx(601.0)


def test_a_clock_that_went_back_takes_no_time_away(play):
    saga = play(LINE)
    saga.call("a", 5.0)
    saga.clock.go_back(3.0)
    saga.call("b", 7.0)
    found = times_of(_APP, saga.log.examine_saga(saga.id))
    assert [(each.record, each.seconds) for each in found.path] == [("a", 5.0), ("b", 4.0)]
