"""Starts of sagas that begin later: due in the log, and held by nothing until then."""

import uuid

import pytest

from amends import ActRefused, Delay, Parallel
from amends.definition.search_fields import entries_of
from amends.definition.serialization import canonical_json
from amends.definition.states import SagaStatus
from amends.log.answers import AtRest, Publish
from amends.log.delivery import NOWHERE, Delivery
from amends.log.in_flight import Waiting
from amends.log.queries.gauges import Readings
from amends.log.queries.index_walk import Cursor, IndexWalk
from amends.log.starts import AlreadyThere, Delayed, Started
from tests.support.clock import redis_now
from tests.support.log_driver import ERROR
from tests.support.log_view import view_of
from tests.support.sagas.parcel import Parcel, parcel_saga
from tests.support.sagas.shapes import approval, shape_of, step
from tests.support.stage_driver import PART, Course

LINE = shape_of("later", step("a"), step("b"), timeout=600.0)
SHAPES = [
    LINE,
    shape_of("later_wait", approval(timeout=60.0), step("b")),
    shape_of("later_delay", Delay(60.0), step("b")),
    shape_of("later_stage", Parallel(step("a"), step("b"))),
]


class Later(Course):
    """A saga that is started with a time."""

    begins = "+7200000"

    def start(self):
        self.answer = self.start_at(self.begins)
        return self.answer

    def start_at(self, begins):
        message = Delivery(text=begins, destination=NOWHERE)
        text = canonical_json({"job_id": self.id})
        return self.log.starts.start_saga(self.id, self._saga.itinerary, text, message)

    def look_of_sweep(self):
        (found,) = self.log.maintenance.look_at_sagas([self.id], longest_wait=300.0)
        return found

    def begin(self):
        """Let its time have come."""
        at = int(redis_now(self.client) * 1000) - 1
        self.client.hset(self.saga_key, "begins", at)
        return at / 1000


@pytest.fixture
def later(log, client):
    return Later(log, client, LINE)


@pytest.fixture(params=SHAPES, ids=lambda saga: saga.name)
def any_later(request, log, client):
    return Later(log, client, request.param)


def test_it_is_pending_and_due_at_its_time_apart_from_messages(any_later):
    assert any_later.answer == Delayed()
    assert any_later.status == "pending"
    assert any_later.is_timed
    assert 7190 < any_later.due_in() <= 7200


def test_no_look_and_no_dispatch_begins_it_early(any_later):
    assert any_later.look_of_sweep() is None
    assert any_later.look() is None
    assert any_later.is_timed
    assert 7190 < any_later.due_in() <= 7200
    assert any_later.events() == ["saga.started"]


def test_a_look_at_its_time_finds_that_no_message_was_sent(any_later):
    any_later.begin()
    found = any_later.look_of_sweep()
    assert isinstance(found, Waiting)
    assert (found.times, found.is_overdue) == (0, True)
    any_later.look()
    assert any_later.status in ("pending", "running")


def test_its_time_is_counted_from_when_it_begins(later):
    entry = later.log.read_saga(later.id)
    assert entry.deadline_at == entry.begins_at + 600
    later.client.hset(later.saga_key, "created", 1)
    began = later.begin()
    assert isinstance(later.look(), Publish)
    assert later.log.read_saga(later.id).created_at == began


def came(course, *, ago):
    """Let a saga have come to where it stands so long ago."""
    view = view_of(course.log)
    key = view.index_key(view.shard_of(course.id), SagaStatus.PENDING)
    course.client.zincrby(key, -round(ago * 1000), course.id)


def oldest(course):
    return Readings.read(view_of(course.log)).oldest[SagaStatus.PENDING]


def test_it_has_no_age_before_its_time_and_lists_have_it(any_later):
    came(any_later, ago=10**6)
    assert oldest(any_later) < 10**6
    cursor = Cursor.first(view_of(any_later.log), newest_first=False, ago=10**6 - 60)
    listed = IndexWalk.by_status(view_of(any_later.log), [SagaStatus.PENDING], cursor).take(1000)
    assert any_later.id in [each.id for each in listed]


@pytest.mark.parametrize("look", [Later.look_of_sweep, Later.look], ids=["sweep", "dispatch"])
def test_one_that_begins_and_is_not_claimed_has_an_age_from_then(later, look):
    came(later, ago=10**6)
    later.client.hset(later.saga_key, "created", 1)
    later.begin()
    look(later)
    assert later.status == "pending"
    came(later, ago=10**5)
    assert 10**5 <= oldest(later) < 10**6
    later.cancel()


def test_a_pause_or_a_skip_before_its_time_gives_it_no_age(later):
    later.log.control.pause_saga(later.id, actor={})
    later.log.control.resume_saga(later.id, actor={})
    later.look()
    later.skip("a", PART)
    came(later, ago=10**6)
    assert oldest(later) < 10**6


def test_a_start_again_is_the_same_saga_whatever_its_time(later):
    assert later.start_at("+60000") == AlreadyThere(SagaStatus.PENDING)
    assert 7190 < later.due_in() <= 7200


def test_a_time_that_is_past_is_now(log, client):
    course = Later(log, client, LINE)
    for begins in ("+0", "1"):
        course.id = uuid.uuid4().hex
        assert course.start_at(begins) == Started(1)
        assert not course.is_timed


def test_a_cancel_before_its_time_ends_it_and_undoes_nothing(any_later):
    assert isinstance(any_later.cancel(), AtRest)
    assert any_later.status == "compensated"
    assert any_later.due_in() is None
    assert any_later.events()[-1] == "saga.finished"


def test_a_pause_holds_it_beyond_its_time(later):
    later.log.control.pause_saga(later.id, actor={})
    later.begin()
    assert later.look() is None
    later.log.control.resume_saga(later.id, actor={})
    assert later.remaining() == ["a", "b"]


def test_resumed_before_its_time_it_still_begins_then(later):
    later.log.control.pause_saga(later.id, actor={})
    later.log.control.resume_saga(later.id, actor={})
    assert later.look() is None
    assert later.is_timed
    assert 7190 < later.due_in() <= 7200


def test_a_skip_before_its_time_leaves_the_rest_to_it(later):
    later.skip("a", PART)
    assert (later.status, later.remaining()) == ("pending", [])
    assert later.is_timed
    later.begin()
    assert later.remaining() == ["b"]


def test_skipped_whole_it_ends(later):
    for name in ("a", "b"):
        later.skip(name, PART)
    assert later.status == "completed"


def test_a_retry_before_its_time_is_refused(later):
    with pytest.raises(ActRefused, match="begins later"):
        later.retry_saga()


def test_one_that_ended_leaves_the_search_index(log, client):
    saga_id = uuid.uuid4().hex
    view = view_of(log)
    search = entries_of(parcel_saga.itinerary.search, Parcel(customer="ada"), what="the input")
    message = Delivery(text="+7200000", destination=NOWHERE)
    log.starts.start_saga(saga_id, parcel_saga.itinerary, "{}", message, search=search)
    client.hset(view.saga_key(saga_id), "begins", int(redis_now(client) * 1000) - 1)
    log.dispatch_saga(saga_id, longest_wait=300.0)
    log.control.cancel_saga(saga_id, error=ERROR, actor={})
    key = view.search_key(view.shard_of(saga_id))
    assert any(saga_id in each for each in client.zrange(key, 0, -1))
    log.maintenance.remove_sagas([saga_id], kept_for=0.0)
    assert not any(saga_id in each for each in client.zrange(key, 0, -1))
