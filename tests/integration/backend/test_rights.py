"""A user of Redis with the rights that the doctor prints: sagas, breakers, lists and the doctor need no others."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import redis
from celery import Celery, current_app

import amends
from amends import CircuitBreaker, ConfigurationError, LogUnavailable
from amends.backend.client import client_of
from amends.backend.rights import acl_line
from amends.backend.settings import settings_of
from amends.diagnosis.deployment.examination import examine
from amends.dispatch.in_process import run_here
from amends.log.acts.act import BulkAct, Progress
from amends.log.queries.acts import find_acts
from amends.log.queries.census import take_census
from amends.log.queries.listing import find_sagas
from amends.log.queries.query import Query
from amends.log.saga_log import log_of
from amends.log.waits import Waits
from amends.worker.heartbeat import Heartbeat
from amends.worker.retention import remove_ended
from amends.worker.sweep import Sweep
from tests.support.engine_saga import Job, engine_saga, job_saga, without_effect
from tests.support.eventually import eventually
from tests.support.log_view import LogView, view_of
from tests.support.redis_clusters import own_cluster
from tests.support.sagas.parcel import Parcel, parcel_saga

PREFIX = "sh[o]p?*/"


def denied(client):
    """Return what was denied, be it passed over: but for CLIENT, by which redis-py names itself as it connects."""
    told = client.execute_command("ACL LOG")
    return [each["object"] for each in told if each["object"].partition("|")[0] != "client"]


@pytest.fixture
def granted(each_redis):
    """Give the way to a Redis in which a user has the rights of the line, but for those that are taken."""
    root = redis.Redis.from_url(each_redis.url)
    root.execute_command("ACL LOG", "RESET")

    def grant(*taken):
        line = acl_line("sagas", f"{PREFIX}amends:").replace("PASSWORD", "secret")
        root.execute_command(*line.split(), *(f"-{command}" for command in taken))
        return each_redis.url.replace("://", "://sagas:secret@")

    yield grant
    root.execute_command("ACL DELUSER", "sagas")
    root.flushall()
    root.close()


@pytest.fixture(params=[True, False], ids=["fast", "plain"])
def app(request, granted, each_redis):
    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    app.conf.update(
        amends_backend=granted(), amends_key_prefix=PREFIX, amends_fast_path=request.param
    )
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()
    with redis.Redis.from_url(each_redis.url, decode_responses=True) as root:
        assert not denied(root)


def test_a_saga_is_run_undone_looked_at_and_removed(app, monkeypatch):
    ids = [uuid.uuid4().hex for _ in range(3)]
    engine_saga.script(f"{ids[1]}:c", without_effect(amends.Refused("no")))
    engine_saga.script(f"{ids[2]}:c", *[without_effect(OSError("away"))] * 3)
    job_saga.start_many([Job(job_id=each) for each in ids[1:]], saga_ids=ids[1:])
    job_saga.start(Job(job_id=ids[0]), saga_id=ids[0])
    for each in ids:
        run_here(app, each)
    handles = [amends.get(each) for each in ids]
    assert [each.status for each in handles] == ["completed", "compensated", "compensated"]
    assert all(each.history() and each.snapshot() for each in handles)
    Heartbeat(log_of(app), lambda: [1]).beat()
    Sweep(app, may_judge=lambda: True).run_once()
    assert sum(take_census(app).counts.values()) == len(ids)
    monkeypatch.setitem(app.conf, "amends_retention", 0.001)
    assert remove_ended(app) == len(ids)


def look_for(*ids):
    """Find started sagas by one field and by two, in both orders, once the first of them is gone."""
    parcels = [Parcel(customer="ada", price=Decimal("17.50")) for _ in ids]
    parcel_saga.start_many(parcels, saga_ids=ids)
    for saga_id in ids:
        run_here(current_app, saga_id)
    view = LogView(
        client_of(settings_of(current_app).backend), root=settings_of(current_app).key_root
    )
    view.client.hset(view.saga_key(ids[0]), "created", 0)  # its entries are of a saga that is gone
    left = set(ids[1:])
    assert {each.id for each in amends.find(customer="ada", price=17.5)} == left
    assert {each.id for each in amends.find(saga=parcel_saga, customer="ada")} == left
    page = find_sagas(current_app, Query(where=(("customer", "ada"),)))
    assert {each.id for each in page.summaries} == left


def test_sagas_are_found_by_their_fields(app, monkeypatch):
    look_for("p-1", "p-2", "p-3")
    monkeypatch.setitem(app.conf, "amends_retention", 0.0001)
    assert remove_ended(app) == 3
    assert amends.find(customer="ada") == []


def test_a_person_acts(app):
    saga_id = uuid.uuid4().hex
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    for act in (handle.pause, handle.resume, handle.cancel):
        act(by="ada", why="to see")
    run_here(app, saga_id)
    assert handle.status == "compensated"


def test_a_wait_is_told(app, monkeypatch):
    log, saga_id = log_of(app), uuid.uuid4().hex
    waits = Waits(view_of(log), log.read_status, told=(600.0, 600.0))
    monkeypatch.setattr(log, "waits", waits)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with ThreadPoolExecutor() as pool:
        wait = pool.submit(handle.wait, 300)
        saga = view_of(log).saga_key(saga_id)
        eventually(lambda: view_of(log).client.hexists(saga, "awaited"))
        run_here(app, saga_id)
        assert wait.result(60).outcome == "completed"


def test_a_breaker_opens_and_is_closed_again(app):
    breaker = CircuitBreaker(f"payments-{uuid.uuid4().hex}", failure_on=(OSError,))

    def fail():
        raise OSError("away")

    assert breaker.call(lambda: 1) == 1
    for _ in range(3):
        with pytest.raises(OSError, match="away"):
            breaker.call(fail)
    assert breaker.state == "open"
    breaker.reset(by="ada", why="to see")
    assert breaker.state == "closed"
    assert breaker.history()


def test_the_doctor_finds_nothing_amiss(app):
    found = {each.code: each.what for each in examine(app).findings if each.severity == "error"}
    assert not {code for code in found if code.startswith("log.")}


def test_in_a_cluster_each_node_lets_the_user_do_all_of_it(tmp_path):
    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    app.set_current()
    app.set_default()
    saga_id = uuid.uuid4().hex
    line = acl_line("sagas", "amends:", in_cluster=True).replace("PASSWORD", "secret").split()
    with own_cluster(tmp_path) as cluster:
        for node in cluster.nodes:
            node.client.execute_command(*line)
        app.conf.amends_backend = cluster.url.replace("://", "://sagas:secret@")
        job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
        run_here(app, saga_id)
        Sweep(app, may_judge=lambda: True).run_once()
        assert amends.get(saga_id).status == "completed"
        assert CircuitBreaker(f"payments-{saga_id}", failure_on=(OSError,)).call(lambda: 1) == 1
        assert sum(take_census(app).counts.values()) == 1
        look_for(*(f"p-{n}" for n in range(20)))
        app.conf.amends_retention = 0.0001
        assert remove_ended(app) == 21
        assert amends.find(customer="ada") == []
        assert not any(denied(node.client) for node in cluster.nodes)
    app.close()


def test_without_rights_to_channels_transitions_go_on_and_waits_look(granted, each_redis):
    """As with a user whom an earlier release gave its rights."""
    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    app.conf.update(amends_backend=granted(), amends_key_prefix=PREFIX)
    app.set_current()
    app.set_default()
    root = redis.Redis.from_url(each_redis.url, decode_responses=True)
    root.execute_command("ACL SETUSER", "sagas", "resetchannels")
    log, saga_id = log_of(app), uuid.uuid4().hex
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    cancelled = job_saga.start(Job(job_id="c"), saga_id=uuid.uuid4().hex)
    for each in (saga_id, cancelled.id):
        _, is_told = log.waits.await_saga(each, "", channel=f"{PREFIX}amends:waits:one")
        assert is_told
    assert cancelled.cancel()
    assert cancelled.status == "compensated"
    with ThreadPoolExecutor() as pool:
        waits = [pool.submit(handle.wait, 60, until=until) for until in (None, "b")]
        eventually(lambda: log.waits.subscription.channel in denied(root))
        run_here(app, saga_id)
        assert [each.result(60).part for each in waits] == ["b", "b"]
    assert handle.status == "completed"
    assert not root.hexists(view_of(log).saga_key(saga_id), "awaited")
    app.close()


def test_without_a_right_it_is_said_where_to_find_all(granted):
    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    app.conf.update(amends_backend=granted("evalsha"), amends_key_prefix=PREFIX)
    with pytest.raises(
        (LogUnavailable, ConfigurationError), match=r"NOPERM.*'evalsha'.* saga doctor --acl"
    ):
        log_of(app).maintenance.take_due(lease=1.0, limit=1)
    app.conf.amends_key_prefix = "mall/"
    with pytest.raises((LogUnavailable, ConfigurationError), match="NOPERM"):
        log_of(app).read_status("a")


@pytest.mark.parametrize("right", ["hset", "zscore", "del"])
def test_a_right_that_scripts_alone_need_is_found_and_named(granted, right):
    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    app.conf.update(amends_backend=granted(right), amends_key_prefix=PREFIX)
    found = {each.code: each.what for each in examine(app).findings if each.severity == "error"}
    assert f"may not run {right.upper()}:" in found["log.rights"]


def test_the_error_of_a_script_names_the_command_that_was_denied(granted):
    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    app.conf.update(amends_backend=granted("hset"), amends_key_prefix=PREFIX)
    with pytest.raises(
        (LogUnavailable, ConfigurationError), match=r"(it asked for HSET|'hset').*--acl"
    ):
        log_of(app).starts.start_saga("a", job_saga.itinerary, "{}")


def test_a_log_that_may_not_wait_for_replicas_says_so(granted):
    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    app.conf.update(
        amends_backend=granted("wait"), amends_key_prefix=PREFIX, amends_wait_replicas=1
    )
    with pytest.raises((LogUnavailable, ConfigurationError), match=r"NOPERM.*'wait'"):
        log_of(app).starts.start_saga("b", job_saga.itinerary, "{}")


def test_a_user_who_may_only_read_reads_the_list_of_acts(each_redis):
    """A list of a shard, the log's own, and how far a bulk act is."""
    root = redis.Redis.from_url(each_redis.url)
    reader = "ACL SETUSER reader on >secret resetkeys ~amends:* -@all +@read +time +ping +hello +auth +select +info"
    root.execute_command(*reader.split())
    app = Celery("reader", broker="memory://", set_as_current=False)
    app.conf.amends_backend = each_redis.url
    try:
        log = log_of(app)
        bulk = BulkAct(act_id="bulk-1", act="retry", by="ada")
        log.acts.begin(bulk, Progress(matched=3))
        log.starts.start_saga("job-1", job_saga.itinerary, "{}")
        log.control.pause_saga("job-1", actor={"by": "bob"})
        app.conf.amends_backend = each_redis.url.replace("://", "://reader:secret@")
        newest, first = find_acts(app).acts
        assert (newest.by, newest.saga_id) == ("bob", "job-1")
        assert (first.by, first.bulk.matched) == ("ada", 3)
    finally:
        root.execute_command("ACL DELUSER", "reader")
        root.flushall()
        root.close()
