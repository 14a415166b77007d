"""How far a queue was consumed, as claims tell it."""

import pytest

from amends.backend.script_constants import LOST_AFTER
from amends.log.answers import Origin, Publish
from amends.log.watermarks import watermark_name
from tests.support.log_view import view_of

QUEUE = "work"


@pytest.fixture(autouse=True)
def anew(log):
    """Let no queue have a watermark, nor have had a probe."""
    view_of(log).forget_workers()


@pytest.fixture
def claim(journey):
    """Claim a record by the message of a number."""

    def claim(number, path="check_traveller", *, token="t", retries=0, queue=QUEUE, copied_at=""):
        owner = f"worker:1:{journey.id}.{number}.{path}"
        how = {"origin": Origin(queue, copied_at)}
        return journey.log.claim_step(
            journey.id, path, token=token, owner=owner, retries=retries, **how
        )

    return claim


def watermark(log, queue=QUEUE):
    return log.watermarks.read_watermarks([queue]).watermarks[queue]


def sent(journey):
    return int(journey.field("sent")) / 1000


def set_sent(journey, ms):
    journey.client.hset(journey.saga_key, "sent", ms)


def dispatch(journey):
    answer = journey.log.dispatch_saga(journey.id, longest_wait=300.0)
    assert isinstance(answer, Publish)
    return answer


def test_a_claim_tells_when_its_message_was_published(journey, log, claim):
    published = sent(journey)
    claim(1)
    assert watermark(log) == published


def test_so_does_the_claim_of_the_chain_s_next_link(journey, log, claim):
    claim(1)
    journey.complete("check_traveller", link="travel")
    published = sent(journey)
    claim(2, "travel")
    assert watermark(log) == published


def test_a_watermark_never_falls(client, journey, log, claim):
    key = view_of(log).watermarks_key(view_of(log).shard_of(journey.id))
    later = int(journey.field("sent")) + 1
    client.zadd(key, {QUEUE: later})
    claim(1)
    assert watermark(log) == later / 1000


def test_queues_have_watermarks_of_their_own(log, claim):
    claim(1)
    assert watermark(log, "another") == 0
    assert watermark(log) > 0


def test_apps_that_share_a_log_have_watermarks_of_their_own(client, journey, log, claim):
    """Each may have a queue of this name, in a broker of its own."""
    client.hset(journey.saga_key, "app", "one")
    claim(1)
    assert watermark(log, watermark_name(QUEUE, "one")) == sent(journey)
    assert watermark(log, watermark_name(QUEUE, "two")) == watermark(log) == 0


def test_nothing_is_told_of_an_unknown_queue(client, log, claim):
    claim(1, queue="")
    assert watermark(log, "") == watermark(log) == 0


def test_a_message_that_was_superseded_tells_nothing(journey, log, claim):
    """It is older than what the log knows of, and would let the queue seem to be further."""
    dispatch(journey)
    claim(1)
    assert watermark(log) == 0


def test_a_message_before_which_another_was_numbered_tells_nothing(journey, log, claim):
    log.control.pause_saga(journey.id, actor={})
    log.control.resume_saga(journey.id, actor={})
    claim(1)
    assert watermark(log) == 0


def test_a_retry_tells_nothing_for_its_message_is_older_than_its_wait(journey, log, claim):
    claim(1, queue="")
    journey.retry("check_traveller", wait=0.0)
    claim(1, token="u", retries=1)
    assert watermark(log) == 0


def test_the_claim_of_another_s_message_tells_nothing(journey, log):
    journey.log.claim_step(
        journey.id, "check_traveller", token="t", owner="w:1:x.1.y", retries=0, origin=Origin(QUEUE)
    )
    assert watermark(log) == 0


def test_a_copy_is_told_apart_from_a_first_message(journey):
    assert dispatch(journey).copied_at == ""
    set_sent(journey, 1000)
    assert int(dispatch(journey).copied_at) / 1000 == sent(journey)


def test_a_copy_tells_its_time_even_if_its_saga_has_moved_on(journey, log, claim):
    set_sent(journey, 1000)
    copied_at = dispatch(journey).copied_at
    claim(1, queue="")
    claim(5, token="u", copied_at=copied_at)
    assert watermark(log) == int(copied_at) / 1000


def test_a_copy_cannot_be_of_the_future(journey, log, claim):
    claim(5, copied_at="9" * 15)
    assert sent(journey) <= watermark(log) < 2_000_000_000 * 2


def test_after_the_log_s_clock_went_back_a_watermark_of_its_future_is_forgotten(client, log):
    key = view_of(log).watermarks_key(7)
    client.zadd(key, {QUEUE: (now(client) + 60) * 1000, "another": (now(client) - 60) * 1000})
    assert watermark(log) == 0
    assert client.zrange(key, 0, -1) == ["another"]


def test_a_queue_that_nothing_was_claimed_from_for_a_day_is_forgotten(client, journey, log, claim):
    key = view_of(log).watermarks_key(view_of(log).shard_of(journey.id))
    sent_at = int(journey.field("sent"))
    client.zadd(key, {"old": sent_at - 86_400_000, "new": sent_at - 1000})
    claim(1)
    assert watermark(log, "old") == 0
    assert watermark(log, "new") == (sent_at - 1000) / 1000


# Probes


def age_probe(client, log, seconds, unclaimed=1):
    client.set(view_of(log).probe_key(QUEUE), f"{int((now(client) - seconds) * 1000)}|{unclaimed}")


def now(client):
    seconds, micros = client.time()
    return seconds + micros / 1e6


def test_a_queue_has_one_probe_at_a_time(log):
    assert log.watermarks.permit_probe(QUEUE, watermark=0.0)
    assert not log.watermarks.permit_probe(QUEUE, watermark=0.0)
    assert log.watermarks.permit_probe("another", watermark=0.0)


def test_once_a_probe_was_claimed_there_may_be_another(client, log):
    assert log.watermarks.permit_probe(QUEUE, watermark=0.0)
    assert log.watermarks.permit_probe(QUEUE, watermark=now(client) + 1)


@pytest.mark.parametrize("unclaimed", [1, 2, 6])
def test_a_probe_that_is_not_claimed_is_followed_after_twice_the_wait(client, log, unclaimed):
    wait = LOST_AFTER * 2**unclaimed
    age_probe(client, log, wait - 5, unclaimed)
    assert not log.watermarks.permit_probe(QUEUE, watermark=0.0)
    age_probe(client, log, wait + 1, unclaimed)
    assert log.watermarks.permit_probe(QUEUE, watermark=0.0)
    assert client.get(view_of(log).probe_key(QUEUE)).endswith(f"|{unclaimed + 1}")


def test_what_is_known_of_a_probe_ends_by_itself(client, log):
    log.watermarks.permit_probe(QUEUE, watermark=0.0)
    assert client.ttl(view_of(log).probe_key(QUEUE)) > 86_400
