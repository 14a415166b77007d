"""The list of acts: what each act leaves in it, in the act's own transition, and for how long."""

import json
from uuid import uuid4

import pytest

from amends.backend.client import Client
from amends.errors import ActRefused
from amends.log.acts.act import ActsKept, BulkAct, Progress
from amends.log.saga_log import SagaLog
from tests.support.log_driver import Journey
from tests.support.log_view import view_of

BY = {"by": "ada", "why": "the bank is back"}


@pytest.fixture
def root() -> str:
    """Let each test have a log of its own: a list of acts is the log's, not a saga's."""
    return f"amends:{uuid4().hex}:"


@pytest.fixture
def log(client: Client, root: str) -> SagaLog:
    return SagaLog(client, root=root)


@pytest.fixture
def stuck(journey: Journey) -> Journey:
    journey.do("check_traveller", "travel", "postcard")
    journey.lose("hotel")
    journey.lose("travel:undo")
    return journey


def listed(log, client):
    """Read all lists, the newest act first: each as JSON, with its id."""
    view, found = view_of(log), []
    for key in [*map(view.acts_key, range(view.shards)), view.acts_keys[0]]:
        found += client.zrange(key, 0, -1, withscores=True)
    newest = sorted(((at, text) for text, at in found), reverse=True)
    return [
        {"id": text.partition(" ")[0], **json.loads(text.partition(" ")[2])} for _, text in newest
    ]


def progress_of(log, client, act_id="bulk-1"):
    text = client.hget(view_of(log).acts_keys[1], act_id)
    return text and {k: v for k, v in json.loads(text).items() if k != "updated"}


def test_an_act_is_listed_by_its_own_transition_with_who_and_why(stuck, log, client):
    log.control.retry_saga(stuck.id, actor=BY, act_id="act-1")
    assert listed(log, client) == [
        {"id": "act-1", "act": "retry", "saga": stuck.id, "name": "trip", **BY}
    ]


def test_an_act_that_is_repeated_after_a_lost_answer_is_one_entry(stuck, log, client):
    for _ in range(2):
        log.control.retry_saga(stuck.id, actor=BY, act_id="act-1")
    assert len(listed(log, client)) == 1


def test_an_act_that_is_refused_or_changes_nothing_is_not_listed(stuck, log, client):
    with pytest.raises(ActRefused):
        log.control.retry_saga(stuck.id, actor=BY, seen=1)
    log.control.resume_saga(stuck.id, actor=BY)
    assert listed(log, client) == []


def test_a_skip_of_several_records_is_one_entry_that_names_the_step(stuck, log, client):
    log.control.skip_step(stuck.id, "travel", output="", actor=BY, act_id="act-1")
    assert listed(log, client) == [
        {"id": "act-1", "act": "skip", "saga": stuck.id, "name": "trip", "step": "travel", **BY}
    ]


def test_a_part_of_a_bulk_act_and_an_act_of_the_engine_are_not_listed(stuck, log, client):
    log.control.unlisted.retry_saga(stuck.id, actor=BY)
    assert stuck.status == "compensating"
    assert listed(log, client) == []


def test_a_reason_of_any_length_costs_the_list_no_more_than_a_sentence(stuck, log, client):
    log.control.retry_saga(stuck.id, actor={"by": "ada", "why": "x" * 100_000})
    assert len(listed(log, client)[0]["why"]) == 500


def test_a_list_keeps_the_newest_acts(journey, client, root):
    log = SagaLog(client, root=root, acts=ActsKept(2 * 64))
    for k in range(5):
        act = log.control.resume_saga if k % 2 else log.control.pause_saga
        act(journey.id, actor={}, act_id=f"act-{k}")
    assert [act["id"] for act in listed(log, client)] == ["act-4", "act-3"]


def test_a_list_forgets_acts_that_are_too_old(journey, log, client):
    log.control.pause_saga(journey.id, actor={}, act_id="act-1")
    key = view_of(log).acts_key(view_of(log).shard_of(journey.id))
    client.zincrby(key, -91 * 86_400_000, client.zrange(key, 0, 0)[0])
    log.control.resume_saga(journey.id, actor={}, act_id="act-2")
    assert [act["id"] for act in listed(log, client)] == ["act-2"]


def test_retention_removes_old_acts_of_every_shard_and_how_far_bulk_acts_were(journey, log, client):
    log.control.pause_saga(journey.id, actor={})
    log.acts.begin(BulkAct(act_id="bulk-1", act="retry"), Progress(matched=3))
    keys = map(view_of(log).acts_key, range(64))
    for key in [view_of(log).acts_keys[0], *filter(client.exists, keys)]:
        client.zincrby(key, -91 * 86_400_000, client.zrange(key, 0, 0)[0])
    assert len(listed(log, client)) == 2
    log.acts.remove_old()
    assert listed(log, client) == []
    assert progress_of(log, client) is None


def test_retention_leaves_what_is_not_old(journey, log, client):
    log.control.pause_saga(journey.id, actor={})
    log.acts.begin(BulkAct(act_id="bulk-1", act="retry"), Progress(matched=3))
    log.acts.remove_old()
    assert len(listed(log, client)) == 2
    assert progress_of(log, client) == {"matched": 3, "state": "running"}


def test_a_bulk_act_is_one_entry_however_often_it_tells_how_far_it_is(log, client):
    act = BulkAct(act_id="bulk-1", act="retry", by="ada", filter={"saga": "order"})
    log.acts.begin(act, Progress(matched=3))
    log.acts.update(act, Progress(matched=3, done=1, after="here"))
    assert progress_of(log, client) == {
        "matched": 3,
        "done": 1,
        "after": "here",
        "state": "running",
    }
    log.acts.end(act, Progress(matched=3, done=2, refused=1))
    assert progress_of(log, client) == {"matched": 3, "done": 2, "refused": 1, "state": "ended"}
    assert listed(log, client) == [
        {"id": "bulk-1", "act": "retry", "by": "ada", "filter": {"saga": "order"}}
    ]


def test_a_bulk_act_keeps_the_time_at_which_it_began(log, client):
    act, key = BulkAct(act_id="bulk-1", act="retry"), view_of(log).acts_keys[0]
    log.acts.begin(act, Progress(matched=3))
    (entry,) = client.zrange(key, 0, -1)
    began = client.zincrby(key, -60_000, entry)
    log.acts.end(act, Progress(matched=3, done=3))
    assert client.zscore(key, entry) == began


def test_an_act_on_a_circuit_is_listed(log, client):
    log.acts.note_circuit_act("act-1", "open", "payments", BY)
    assert listed(log, client) == [{"id": "act-1", "act": "open", "circuit": "payments", **BY}]


def test_acts_on_a_schedule_are_listed_by_their_own_transitions_and_once(log, client):
    how = {"app": "shop", "app_name": "shop", "definition": "{}", "digest": "d", "is_begin": True}
    log.schedules.define_schedule("nightly", **how)
    for _ in range(2):
        log.schedules.pause_schedule("nightly", BY)
    for _ in range(2):
        log.schedules.resume_schedule("nightly", {})
    log.schedules.note_triggered("nightly", "schedule.triggered", count=1, saga="s-1", **BY)
    log.schedules.note_triggered("nightly", "schedule.backfilled", count=7, **BY)
    view = view_of(log)
    client.hset(view.schedule_keys("nightly")[0], "seen", "0")
    log.schedules.forget_schedule("nightly", BY)
    acts = [
        {name: value for name, value in act.items() if name != "id"} for act in listed(log, client)
    ]
    expected = [
        {"act": "pause", "schedule": "nightly", **BY},
        {"act": "resume", "schedule": "nightly"},
        {"act": "trigger", "schedule": "nightly", "count": 1, **BY},
        {"act": "backfill", "schedule": "nightly", "count": 7, **BY},
        {"act": "forget", "schedule": "nightly", **BY},
    ]
    assert sorted(acts, key=str) == sorted(expected, key=str)
