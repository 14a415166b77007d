"""What the harness finds of a saga's messages and claims in the log."""

import pytest
from redis import Redis

from amends.log.saga_log import SagaLog
from demo.servers import own_redis
from sagas.order import order_saga
from tests.chaos import messages


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with own_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def log(url, monkeypatch):
    """Give a log in which two sagas were started."""
    client = Redis.from_url(url, decode_responses=True)
    client.flushall()
    log = SagaLog(client)
    for saga_id in ("first", "second"):
        log.starts.start_saga(saga_id, order_saga.itinerary, "{}")
    monkeypatch.setattr(messages, "log_of", lambda _app: log)
    return log


def claim(log, saga_id, path, owner="w:7"):
    log.claim_step(saga_id, path, token="t", owner=owner, retries=0)


def done(log, saga_id, path):
    claim(log, saga_id, path)
    log.complete_step(saga_id, path, token="t", output="{}", link="")


def test_what_is_under_way_is_the_first_step_that_was_not_touched(log):
    done(log, "first", "validate_order")
    ids = messages.ids_under_way("first")
    assert "first.2.reserve_inventory" in ids
    assert "first.6.advance" in ids


def test_a_step_that_runs_is_found_with_the_process_that_runs_it(log):
    assert messages.find_running(["first", "second"], 0) == []
    claim(log, "second", "validate_order", owner="w:4711")
    assert "second.1.validate_order" in messages.find_running(["first", "second"], 0)
    assert messages.ids_under_way("second")[-1].endswith(".validate_order")
    assert messages.running_pids(["first", "second"]) == {4711}


def test_which_running_step_is_found_depends_on_the_draw(log):
    for saga_id in ("first", "second"):
        claim(log, saga_id, "validate_order")
    found = [messages.find_running(["first", "second"], draw)[0] for draw in (0, 1)]
    assert found == ["first.1.validate_order", "second.1.validate_order"]


def test_an_undo_and_a_fallback_are_named_as_their_messages_are(log):
    done(log, "first", "validate_order")
    claim(log, "first", "reserve_inventory")
    error = '{"type":"E","message":"m"}'
    log.fail_step(
        "first",
        "reserve_inventory",
        token="t",
        error=error,
        unknown=True,
        refused=False,
        outcome="lost",
        link="",
    )
    claim(log, "first", "reserve_inventory:undo")
    assert messages.find_running(["first"], 0)[0] == "first.1.reserve_inventory.undo"


def test_no_saga_has_nothing_running(log):
    assert messages.find_running([], 5) == []
    assert messages.running_pids([]) == set()
