"""No ended saga is removed before the archive has taken it, and an archive that fails stops nothing else."""

import itertools
import threading

import pytest

from amends.backend.own_threads import after_each_round
from amends.log.saga_log import log_of
from amends.worker import archiving
from amends.worker.archiving import Archiving
from amends.worker.retention import INTERVAL, Retention, remove_ended
from tests.support.app import in_process_app
from tests.support.archives import PATH, kept
from tests.support.engine_saga import job_saga
from tests.support.eventually import eventually
from tests.support.log_view import view_of


@pytest.fixture
def app():
    with in_process_app("shop") as app:
        app.conf.update(amends_retention=0.0001, amends_archive=PATH)
        kept.clear()
        yield app
        kept.clear()


@pytest.fixture
def log(app):
    return log_of(app)


@pytest.fixture
def ended(log):
    """Give `ended("a", "b")`: sagas that have ended."""

    def end(*ids):
        view = view_of(log)
        for saga_id in ids:
            log.starts.start_saga(saga_id, job_saga.itinerary, '{"job_id":"j","amount":1}')
            fields = {"status": "completed", "ended": 1000, "outcome": "completed"}
            view.client.hset(view.saga_key(saga_id), mapping=fields)
            shard = view.shard_of(saga_id)
            view.client.zrem(view.index_key(shard, "pending"), saga_id)
            view.client.zadd(view.index_key(shard, "completed"), {saga_id: 1000})
        return list(ids)

    return end


def there(log, ids):
    view = view_of(log)
    return [each for each in ids if view.client.exists(view.saga_key(each))]


def archived():
    return sorted(each.id for each in kept.sagas)


def fail(_):
    raise OSError("the database is away\nDETAIL: private")


def test_each_is_given_once_and_removed_then(app, log, ended):
    ids = ended(*(f"s-{n}" for n in range(120)))
    assert remove_ended(app) == 120
    assert there(log, ids) == []
    assert archived() == sorted(ids)
    assert max(map(len, kept.batches)) == archiving.BATCH
    assert kept.threads == {"amends-archive"}
    state = log.archiving.read_archive_state()
    assert (state.sagas, state.failures, state.failing_for, state.error) == (120, 0, 0.0, "")


def test_one_that_raises_keeps_all_and_gets_them_again(app, log, ended, caplog):
    ids = ended("a", "b")
    kept.act = fail
    looks = Retention(app)
    assert [looks.look() for _ in range(3)] == [INTERVAL] * 3
    assert there(log, ids) == ids
    state = log.archiving.read_archive_state()
    assert (state.failures, state.error) == (3, "OSError: the database is away")
    assert state.failing_since is not None
    told = [each for each in caplog.messages if "ended sagas stay in the log" in each]
    assert told == [
        f"ended sagas stay in the log: the archive {PATH} fails: OSError: the database is away"
    ]

    kept.act = lambda _: None
    looks.look()
    assert (there(log, ids), archived()) == ([], ids)
    state = log.archiving.read_archive_state()
    assert (state.failures, state.failing_for, state.error, state.sagas) == (3, 0.0, "", 2)


def test_batches_before_the_one_that_fails_are_removed(app, log, ended, monkeypatch):
    monkeypatch.setattr(archiving, "BATCH", 2)
    ids = ended(*"abcd")
    counted = itertools.count(1)
    kept.act = lambda sagas: fail(sagas) if next(counted) == 2 else None
    assert Retention(app).remove() == 2
    assert sorted(there(log, ids) + archived()) == ids


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_that_ends_its_thread_has_not_taken_them(app, log, ended):
    def end_thread(_):
        raise SystemExit

    ids = ended("a")
    kept.act = end_thread
    assert Retention(app).remove() == 0
    assert there(log, ids) == ids
    assert log.archiving.read_archive_state().error == "it ended its thread"


def test_one_that_hangs_is_called_once_until_it_returns(app, log, ended):
    ids, goes_on, calls = ended("a"), threading.Event(), []
    kept.act = lambda sagas: (calls.append(1), goes_on.wait(30))
    handing = Archiving(app, kept, patience=0.01)
    assert [*handing.taken_of(ids)] == []
    assert [*handing.taken_of(ids)] == []
    assert calls == [1]
    state = log.archiving.read_archive_state()
    assert state.failures == 2
    assert state.error.startswith("a call has not returned for ")
    goes_on.set()
    eventually(lambda: kept.batches)
    assert there(log, ids) == ids
    kept.act = lambda _: None
    patient = Archiving(app, kept)
    assert [*patient.taken_of(ids)] == [(1, ids)]


def test_one_worker_at_a_time_hands_sagas_over(app, log, ended):
    ids = ended("a")
    assert log.archiving.take_archive_turn("another", lasts=60.0)
    assert Retention(app).look() == INTERVAL
    assert (there(log, ids), kept.batches) == (ids, [])
    log.archiving.end_archive_turn("yet another")
    assert Retention(app).remove() == 0
    log.archiving.end_archive_turn("another")
    assert Retention(app).remove() == 1
    assert log.archiving.take_archive_turn("another", lasts=60.0)  # it was left


def test_the_turn_of_a_worker_that_died_is_over_after_a_while(app, log, ended):
    ended("a")
    log.archiving.take_archive_turn("dead", lasts=0.0)
    assert Retention(app).remove() == 1


def test_a_child_is_given_once_nobody_can_turn_it(app, log, ended):
    log.starts.start_saga("p", job_saga.itinerary, "{}")
    ids = ended("p.c")
    view = view_of(log)
    view.client.hset(view.saga_key("p.c"), "parent", "p|c")
    assert Retention(app).remove() == 0
    assert (there(log, ids), kept.batches) == (ids, [])
    ended("p")
    Retention(app).remove()
    assert there(log, [*ids, "p"]) == []
    child = kept.find("p.c")
    assert (child.parent, child.parent_step) == ("p", "c")


def test_a_place_in_the_index_without_a_saga_is_cleared_and_not_given(app, log, ended):
    (saga_id,) = ended("a")
    view = view_of(log)
    view.client.delete(view.saga_key(saga_id))
    Retention(app).remove()
    assert kept.batches == []
    assert not view.client.zcard(view.index_key(view.shard_of(saga_id), "completed"))


def test_a_call_is_a_round_of_a_thread_of_ours(app, ended, monkeypatch):
    """So that a connection that Django opened for it is closed."""
    closed = []
    monkeypatch.setattr("amends.backend.own_threads._closers", [])
    after_each_round(lambda: closed.append(threading.current_thread().name))
    ended("a")
    Retention(app).remove()
    assert closed == ["amends-archive"]
