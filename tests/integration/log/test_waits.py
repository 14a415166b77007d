"""Who waits for a saga: what the log notes of it, and whom a transition tells."""

import uuid
from contextlib import closing

import fakeredis
import pytest
import redis

from amends.errors import UnknownSaga
from tests.support.eventually import eventually
from tests.support.log_view import view_of

OUTPUT = '{"ticket":"T","room":"R"}'


class Ear:
    """A process that waits, as the log sees it: a channel, and what is published on it."""

    def __init__(self, client, journey):
        self.channel = f"amends:waits:{uuid.uuid4().hex}"
        self.journey = journey
        self.subscription = client.pubsub()
        self.subscription.subscribe(self.channel)
        eventually(self._message)

    def waits(self, step=""):
        look, is_told = self.journey.log.waits.await_saga(
            self.journey.id, step, channel=self.channel
        )
        return look.status, look.is_behind, is_told

    def heard(self):
        return eventually(self._message)["data"]

    def heard_nothing(self):
        """Tell whether what is published now is the first: what one connection sent before would be here before it."""
        self.journey.client.publish(self.channel, "nothing")
        return self.heard() == "nothing"

    def _message(self):
        return self.subscription.get_message(timeout=1.0)


@pytest.fixture
def ear(client, journey):
    ear = Ear(client, journey)
    with closing(ear.subscription):
        yield ear


def awaited(journey):
    return journey.client.hget(journey.saga_key, "awaited")


def test_the_end_is_told_once_and_forgotten(journey, ear):
    assert ear.waits() == ("pending", False, True)
    journey.do("check_traveller", "travel", "postcard")
    assert ear.heard_nothing()
    assert awaited(journey)
    journey.do("hotel")
    assert ear.heard() == journey.id
    assert awaited(journey) is None
    assert ear.waits() == ("completed", False, False)
    assert awaited(journey) is None


def test_who_waits_for_a_step_is_told_whenever_a_record_moves(journey, ear):
    ear.waits("travel")
    ear.waits("hotel")
    journey.do("check_traveller", "travel")
    assert [ear.heard() for _ in range(4)] == [journey.id] * 4  # each claim, each end
    assert len(awaited(journey).split()) == 1
    assert ear.waits("travel") == ("running", True, False)
    assert ear.waits("hotel") == ("running", False, True)
    assert ear.heard_nothing()


def test_a_step_that_a_person_skips_is_behind(journey, ear):
    journey.do("check_traveller")
    ear.waits("travel")
    journey.log.control.skip_step(journey.id, "travel", output=OUTPUT, actor={}, seen=None)
    assert ear.heard() == journey.id
    assert ear.waits("travel") == ("running", True, False)


def test_a_step_that_is_passed_over_is_behind(journey, ear):
    journey.do("check_traveller", "travel")
    ear.waits("postcard")
    journey.lose("postcard")
    assert [ear.heard(), ear.heard()] == [journey.id] * 2
    assert ear.waits("postcard") == ("running", True, False)


def test_a_primary_that_failed_is_not_behind_until_its_fallback_is(journey, ear):
    journey.do("check_traveller")
    ear.waits("travel")
    journey.lose("travel")
    assert ear.waits("travel") == ("running", False, True)
    journey.claim("travel:fallback")
    assert ear.waits("travel") == ("running", False, True)
    journey.complete("travel:fallback", output=OUTPUT)
    assert [ear.heard() for _ in range(4)] == [journey.id] * 4
    assert ear.waits("travel") == ("running", True, False)


def test_a_step_that_turned_the_saga_back_is_behind_it_never_and_the_end_is_told(journey, ear):
    journey.do("check_traveller", "travel", "postcard")
    ear.waits("hotel")
    journey.lose("hotel", unknown=True)
    assert ear.waits("hotel") == ("compensating", False, True)
    assert ear.waits("travel") == ("compensating", True, False)
    journey.do("hotel:undo", "travel:undo")
    assert [ear.heard() for _ in range(6)] == [journey.id] * 6
    assert awaited(journey) is None
    assert ear.waits("hotel") == ("compensated", False, False)


def test_a_saga_that_gets_stuck_tells_all(journey, ear):
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel")
    ear.waits()
    journey.lose("travel:undo")
    assert ear.heard() == journey.id
    assert ear.waits() == ("stuck", False, False)


def test_many_waits_of_a_process_for_the_same_are_one_entry(journey, ear):
    for _ in range(10):
        assert ear.waits() == ("pending", False, True)
    assert len(awaited(journey).split()) == 1


def test_asking_again_writes_only_when_half_of_the_time_is_over(journey, ear):
    ear.waits()
    first = awaited(journey)
    ear.waits()
    assert awaited(journey) == first
    code, ends_at, channel = first.split("|")
    journey.client.hset(journey.saga_key, "awaited", f"{code}|{int(ends_at) - 31_000}|{channel}")
    ear.waits()
    assert int(awaited(journey).split("|")[1]) >= int(ends_at)


def test_what_a_dead_process_left_is_forgotten_at_the_next_transition(journey, ear):
    journey.client.hset(journey.saga_key, "awaited", f"e|1000|{ear.channel} s|1000|{ear.channel}")
    journey.do("check_traveller")
    assert awaited(journey) is None
    assert ear.heard_nothing()


def test_what_a_dead_process_left_makes_room_for_the_next_wait(journey, ear):
    journey.client.hset(journey.saga_key, "awaited", "e|1000|dead")
    ear.waits()
    assert [each.rpartition("|")[2] for each in awaited(journey).split()] == [ear.channel]


def test_a_saga_has_few_entries_and_others_look(journey):
    def wait(channel):
        return journey.log.waits.await_saga(journey.id, "", channel=channel)[1]

    told = [wait(f"channel-{k}") for k in range(40)]
    assert told == [True] * 32 + [False] * 8
    assert len(awaited(journey).split()) == 32


def test_to_look_only_writes_nothing(journey):
    look, is_told = journey.log.waits.await_saga(journey.id, "travel", channel="")
    assert (look.status, look.is_enough, is_told) == ("pending", False, False)
    assert awaited(journey) is None


def test_a_saga_that_is_not_there_stays_so(log, client):
    with pytest.raises(UnknownSaga):
        log.waits.await_saga("unheard-of", "", channel="channel")
    assert not client.exists(view_of(log).saga_key("unheard-of"))


def test_a_saga_that_nobody_waits_for_publishes_nothing(journey):
    """Nor does it read or write more: what waits need is a field of what is read anyhow."""
    if not isinstance(journey.client, redis.Redis) or isinstance(
        journey.client, fakeredis.FakeRedis
    ):
        pytest.skip("counts what one Redis was asked for")
    journey.do("check_traveller")
    journey.claim("travel")
    journey.client.config_resetstat()
    journey.complete("travel", output=OUTPUT)
    asked = {name[8:]: each["calls"] for name, each in journey.client.info("commandstats").items()}
    assert "publish" not in asked
    assert asked["hmget"] == 1
    assert awaited(journey) is None
