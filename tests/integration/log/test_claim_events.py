"""What the event of a claim tells of its message and its process, and how its wait in the queue is counted."""

import uuid

import pytest

from amends.backend.script_constants import QUEUE_BOUNDS
from amends.log.answers import Claim, Claimed, Origin, Run
from amends.log.owner import process_members
from tests.support.clock import redis_now

WAITED = 2_000  # ms


@pytest.fixture
def queue():
    """Name a queue that no other test counts."""
    return f"queue-{uuid.uuid4().hex}"


@pytest.fixture
def claim(journey, queue):
    """Claim a record by the message of a number, which was to arrive two seconds ago."""

    def claim(number, path="check_traveller", *, retries=0, process="", **how):
        sent = round(redis_now_of(journey) * 1000) - WAITED
        if how.pop("is_sent", True):
            journey.client.hset(journey.saga_key, "sent", sent)
        owner = f"worker:1:{journey.id}.{number}.{path}"
        origin = Origin(queue=how.pop("queue", queue))
        how |= {"token": "t", "owner": owner, "retries": retries, "process": process}
        assert isinstance(journey.log.claim_step(journey.id, path, origin=origin, **how), Run)
        return journey.log.read_history(journey.id)[-1].details

    return claim


def redis_now_of(journey):
    client = journey.client
    return redis_now(client.node_of(journey.saga_key) if hasattr(client, "node_of") else client)


def counted(journey, queue):
    return {
        words[-1]: value
        for words, value in journey.log.read_counters().items()
        if words[:2] == ("queued", queue)
    }


def test_a_claim_tells_how_long_its_message_was_in_its_queue(claim, journey, queue):
    queued = claim(1)["queued"]
    assert queued >= WAITED
    (bound,) = [each for each in counted(journey, queue) if each != "sum"]
    assert counted(journey, queue) == {bound: 1, "sum": queued}
    assert float(bound) in QUEUE_BOUNDS


def test_so_does_that_of_a_retry(claim, journey, queue):
    claim(1)
    journey.retry("check_traveller", wait=0.0)
    assert claim(1, retries=1)["queued"] >= WAITED
    assert sum(n for bound, n in counted(journey, queue).items() if bound != "sum") == 2


def test_a_message_that_was_to_arrive_later_was_not_queued(claim, journey, queue):
    journey.client.hset(journey.saga_key, "sent", round(redis_now_of(journey) * 1000) + 60_000)
    assert claim(1, is_sent=False)["queued"] == 0


@pytest.mark.parametrize("number", [0, 2, 7])
def test_of_another_message_than_the_last_it_is_not_known(claim, journey, queue, number):
    assert "queued" not in claim(number)
    assert counted(journey, queue) == {}


def test_where_no_message_is_under_way_it_is_not_known(claim, journey, queue):
    journey.client.hset(journey.saga_key, "sent", 0)
    assert "queued" not in claim(1, is_sent=False)
    assert counted(journey, queue) == {}


def test_a_claim_without_a_message_of_its_own_tells_nothing(claim, journey, queue):
    assert "queued" not in claim(1, queue="")
    assert counted(journey, queue) == {}


def test_a_claim_that_is_repeated_counts_once(claim, journey, queue):
    claim(1)
    claim(1)
    assert sum(n for bound, n in counted(journey, queue).items() if bound != "sum") == 1
    assert [each.name for each in journey.log.read_history(journey.id)].count("step.started") == 1


def test_a_claim_tells_its_worker_and_its_process(claim):
    told = claim(1, process=process_members('odd"name@host', 77))
    assert (told["worker"], told["pid"]) == ('odd"name@host', 77)


def test_without_a_worker_there_is_none_to_tell_of(claim):
    assert claim(1, process=process_members("", 77)).keys() == {"attempt", "queued"}


def test_a_claim_that_comes_with_the_end_of_a_step_tells_its_process_and_no_queue(journey):
    journey.claim("check_traveller")
    claim = Claim(token="u", owner="w:1:m", retries=0, process=process_members("w@host", 7))
    answer = journey.complete("check_traveller", link="travel", claim=claim)
    assert isinstance(answer, Claimed)
    last = journey.log.read_history(journey.id)[-1]
    assert (last.name, last.details) == (
        "step.started",
        {"attempt": 1, "worker": "w@host", "pid": 7},
    )
