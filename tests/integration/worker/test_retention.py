"""Ended sagas leave the log after a while, and no others do."""

import threading
from itertools import pairwise

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker

import amends
from amends import Refused, SagaStuck, UnknownSaga
from amends.backend.celery_apps import current
from amends.log.saga_log import log_of
from amends.worker import retention
from benchmarks.growth.crowd import ENDED, grow
from tests.support.archives import PATH, kept
from tests.support.engine_saga import Job, engine_saga, job_saga, without_effect
from tests.support.eventually import eventually
from tests.support.log_view import view_of
from tests.support.refusals import configured


def finished(saga_id):
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    handle.wait(timeout=60)
    return handle


def is_gone(handle):
    try:
        return not handle.history()
    except UnknownSaga:
        return True


def test_a_saga_that_ended_long_ago_is_removed_whole(work, app, log, saga_id, monkeypatch):
    handle = finished(saga_id)
    assert retention.remove_ended(app) == 0
    monkeypatch.setitem(app.conf, "amends_retention", 0.001)
    # The worker may be the first.
    eventually(lambda: retention.remove_ended(app) >= 1 or is_gone(handle))
    assert is_gone(handle)
    assert not view_of(log).client.keys(f"*{saga_id}*")
    assert handle.status == "completed"  # of that its id is remembered
    monkeypatch.undo()  # the worker removes what has ended, too
    assert job_saga.start(Job(job_id=saga_id), saga_id=saga_id).status == "completed"
    assert work.records(saga_id) == ["a", "b", "c"]  # once


def test_a_stuck_saga_is_kept(work, app, saga_id, monkeypatch):
    work.script(f"{saga_id}:b", without_effect(Refused("no")))
    work.script(f"{saga_id}:a:undo", *[without_effect(ValueError("no"))] * 3)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with pytest.raises(SagaStuck):
        handle.wait(timeout=60)
    monkeypatch.setitem(app.conf, "amends_retention", 0.001)
    retention.remove_ended(app)
    assert handle.status == "stuck"


def test_a_worker_looks_now_and_then_for_what_to_remove(app, saga_id, monkeypatch):
    monkeypatch.setattr(retention, "INTERVAL", 0.1)
    monkeypatch.setitem(app.conf, "amends_retention", 0.001)

    with start_worker(app, pool="threads", loglevel="CRITICAL", perform_ping_check=False):
        handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
        eventually(lambda: is_gone(handle))


def test_a_worker_with_more_to_remove_than_one_look_takes_looks_at_each_sweep(
    app, log, monkeypatch
):
    monkeypatch.setattr(retention, "INTERVAL", 3600.0)
    monkeypatch.setattr(retention, "BATCH", 1)  # of each shard
    monkeypatch.setitem(app.conf, "amends_retention", 0.001)
    grow(log, ENDED, range(500))
    with start_worker(app, pool="threads", loglevel="CRITICAL", perform_ping_check=False):
        eventually(lambda: len(log.maintenance.read_ended(ago=0.0, limit=500)) < 500 - 2 * 64)
    log.maintenance.remove_sagas(log.maintenance.read_ended(ago=0.0, limit=500), kept_for=0.0)


@pytest.fixture
def archive():
    kept.clear()
    yield kept
    kept.clear()


def test_a_worker_archives_what_ended_and_a_second_start_of_its_id_charges_nothing(
    app, log, saga_id, archive, monkeypatch
):
    monkeypatch.setattr(retention, "INTERVAL", 0.1)
    monkeypatch.setitem(app.conf, "amends_archive", PATH)
    with start_worker(app, pool="threads", loglevel="CRITICAL", perform_ping_check=False):
        handle = finished(saga_id)
        output, events = handle.wait(timeout=60), handle.history()
        monkeypatch.setitem(app.conf, "amends_retention", 0.001)
        eventually(lambda: not view_of(log).client.exists(view_of(log).saga_key(saga_id)))
        again = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
        assert again.wait(timeout=60) == output
        assert again.history() == events
    assert engine_saga.world.made == {f"{saga_id}:{step}": 1 for step in "abc"} | {
        key: times for key, times in engine_saga.world.made.items() if saga_id not in key
    }
    assert saga_id in {each.id for each in archive.sagas}


def test_an_archive_that_hangs_keeps_no_sweep_of_its_worker(
    app, log, saga_id, archive, monkeypatch
):
    hangs, goes_on = threading.Event(), threading.Event()
    archive.act = lambda _: (hangs.set(), goes_on.wait(60))
    monkeypatch.setattr(retention, "INTERVAL", 0.1)
    monkeypatch.setitem(app.conf, "amends_archive", PATH)
    monkeypatch.setitem(app.conf, "amends_retention", 0.001)
    try:
        with start_worker(app, pool="threads", loglevel="CRITICAL", perform_ping_check=False):
            finished(f"{saga_id}-1")
            assert hangs.wait(60)
            log.starts.start_saga(
                saga_id, job_saga.itinerary, f'{{"amount":1,"job_id":"{saga_id}"}}'
            )
            view_of(log).make_due(saga_id)  # which nothing but a sweep publishes
            amends.get(saga_id).wait(timeout=60)
    finally:
        goes_on.set()


def test_a_worker_with_a_wrong_archive_does_not_start(app, monkeypatch, caplog):
    monkeypatch.setitem(app.conf, "amends_archive", "no_such_module:archive")
    with pytest.raises(SystemExit), caplog.at_level("CRITICAL"):
        app.WorkController(pool="threads")
    assert "no sagas can run here: amends_archive is 'no_such_module:archive'" in caplog.text


@pytest.mark.parametrize("path", [None, PATH])
def test_a_log_that_is_full_gets_room_by_what_ended(
    redis_url, each_redis, saga_id, archive, path, monkeypatch
):
    monkeypatch.setattr(retention, "INTERVAL", 0.1)
    app = Celery("full", broker=f"{redis_url}/5", set_as_current=False)
    app.conf.update(amends_backend=f"{each_redis.url}/0", amends_sweep_interval=0.2)
    app.conf.amends_archive = path
    app.finalize()
    how = {"pool": "threads", "loglevel": "CRITICAL", "perform_ping_check": False}
    with current(app), start_worker(app, **how):
        handle, log = finished(saga_id), log_of(app)
        log.starts.start_saga("waits", job_saga.itinerary, "{}")
        view_of(log).make_due("waits")  # which a sweep would note
        client = view_of(log).client
        with configured(client, "maxmemory", 1):
            monkeypatch.setitem(app.conf, "amends_retention", 0.001)
            eventually(lambda: not client.exists(view_of(log).saga_key(handle.id)))
        assert log.read_remembered(handle.id) is not None
        assert [each.id for each in archive.sagas] == ([handle.id] if path else [])


@pytest.fixture
def family(log, saga_id):
    """Give the ids of a saga that lives, of its child and its grandchild, which have ended, and of one that is nobody's."""
    ids = [saga_id, f"{saga_id}.one", f"{saga_id}.one.two", f"{saga_id}-alone"]
    for each in ids:
        log.starts.start_saga(each, job_saga.itinerary, "{}")
    for parent, child in pairwise(ids[:3]):
        log.adopt_saga(child, parent, child.rpartition(".")[2])
    let_end(log, *ids[1:])
    yield ids
    while left := there(log, ids):
        let_end(log, *left)
        log.maintenance.remove_sagas(left, kept_for=-1.0)


def let_end(log, *saga_ids):
    """Let sagas have been completed long ago."""
    view = view_of(log)
    for saga_id in saga_ids:
        fields = {"status": "completed", "ended": 1}
        view.client.hset(view.saga_key(saga_id), mapping=fields)
        shard = view.shard_of(saga_id)
        view.client.zadd(view.index_key(shard, "completed"), {saga_id: 1})


def there(log, saga_ids):
    return [each for each in saga_ids if view_of(log).client.exists(view_of(log).saga_key(each))]


def test_a_child_is_kept_while_one_above_may_turn_it(log, family):
    assert log.maintenance.remove_sagas(family, kept_for=0.0) == 1
    assert there(log, family) == family[:3]
    let_end(log, family[0])
    for left in (2, 1, 0):
        log.maintenance.remove_sagas(family, kept_for=0.0)
        assert len(there(log, family)) <= left + 1
    assert there(log, family) == []


def test_what_is_kept_stands_in_nobodys_way(app, log, family, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 1)
    monkeypatch.setitem(app.conf, "amends_retention", 0.001)
    view = view_of(log)
    shard = view.shard_of(family[1])
    behind = next(
        f"{family[0]}-{n}" for n in range(10_000) if view.shard_of(f"{family[0]}-{n}") == shard
    )
    log.starts.start_saga(behind, job_saga.itinerary, "{}")
    let_end(log, behind)
    view.client.zadd(view.index_key(shard, "completed"), {behind: 2})
    looks = retention.Retention(app)
    for _ in range(3):
        looks.look()
    assert there(log, [*family, behind]) == family[:3]


def test_a_look_removes_acts_that_are_too_old(app, log):
    log.acts.note_circuit_act("act-1", "open", "bank", {"by": "ada"})
    view = view_of(log)
    key = view.acts_keys[0]
    entry = next(each for each in view.client.zrange(key, 0, -1) if each.startswith("act-1 "))
    view.client.zincrby(key, -91 * 86_400_000, entry)
    retention.Retention(app).look()
    assert view.client.zscore(key, entry) is None
