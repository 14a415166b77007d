"""A worker names what the log had acknowledged to it, and has lost in a failover."""

import json
import logging
import os
import signal
import time
import uuid

import pytest
from billiard import current_process
from celery import Celery
from celery.bin.base import CLIContext
from celery.signals import worker_process_init
from click.testing import CliRunner
from redis import Redis

from amends.cli.exit_codes import Exit
from amends.cli.formatting import moment
from amends.dispatch.in_process import run_here
from amends.errors import ConfigurationError
from amends.log.observers import tell_observers
from amends.log.queries.lost_writes import Acknowledged
from amends.worker.failover import Failovers
from amends.worker.remembered import Remembered
from amends_commands import saga
from tests.support.engine_saga import Job, job_saga
from tests.support.redis_servers import replica_of


@pytest.fixture
def replica(each_redis, tmp_path):
    """Give a replica of the Redis."""
    with replica_of(each_redis, tmp_path) as server:
        yield server


@pytest.fixture
def app(each_redis):
    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    app.conf.amends_backend = each_redis.url
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    Remembered.leave()
    app.close()


def run(app):
    """Run a saga to its end, and return its id."""
    saga_id = uuid.uuid4().hex
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    run_here(app, saga_id)
    return saga_id


def test_what_the_next_primary_lacks_is_named(app, each_redis, replica, caplog):
    acknowledged = Remembered.enter(app, processes=1)
    failovers = Failovers(app, acknowledged)
    run(app)
    assert failovers.look() == []
    client = Redis.from_url(each_redis.url)
    client.incr("written")
    client.wait(1, 20_000)
    Redis.from_url(replica.url).replicaof("NO", "ONE")
    saga_id = run(app)
    assert failovers.look() == []  # it is the same primary still
    app.conf.amends_backend = replica.url
    with caplog.at_level(logging.ERROR, logger="amends.worker.failover"):
        lost = failovers.look()
    assert {each.saga_id for each in lost} == {saga_id}
    assert [each.name for each in lost][:2] == ["saga.started", "step.started"]
    assert lost[-1].name == "step.completed"
    assert failovers.look() == []
    (line,) = [each.getMessage() for each in caplog.records if each.name.endswith("failover")]
    assert f"lost {len(lost)} transitions of 1 sagas that it had acknowledged: {saga_id}" in line

    listed = CliRunner().invoke(
        saga,
        ["doctor", "--after-failover", "--json"],
        obj=CLIContext(app=app, no_color=True, workdir=None),
    )
    assert listed.exit_code == Exit.ATTENTION
    told = json.loads(listed.stdout)["lost"]
    (start,) = told  # of a saga that is gone nothing else is lost
    assert (start["at"], start["name"]) == (moment(lost[0].at), "saga.started")


def test_a_start_that_no_worker_heard_of_is_found_by_its_id(app, tmp_path):
    known = run(app)
    (tmp_path / "ids").write_text(f"{known}\norder-1048\n\n", encoding="utf-8")
    words = ["doctor", "--after-failover", "--started", str(tmp_path / "ids")]
    listed = CliRunner().invoke(saga, words, obj=CLIContext(app=app, no_color=True, workdir=None))
    assert listed.exit_code == Exit.ATTENTION
    assert "order-1048  saga.started" in listed.stdout
    assert known not in listed.stdout


def note(app, saga_id, event):
    tell_observers(app, saga_id, ["", "", "", "0", ""], [event])


def test_what_a_process_wrote_late_to_the_primary_of_before_is_named_too(app, replica):
    failovers = Failovers(app, Remembered.enter(app, processes=1))
    assert failovers.look() == []
    Redis.from_url(replica.url).replicaof("NO", "ONE")
    app.conf.amends_backend = replica.url
    event = f'{{"at":{round(time.time() * 1000)},"name":"saga.started"}}'
    for late in ("first", "second"):
        note(app, late, event)
        assert [each.saga_id for each in failovers.look()] == [late]
    note(app, "third", event)
    assert failovers.look() == []


def test_a_log_that_is_away_or_full_keeps_no_sweep_waiting(app, each_redis):
    failovers = Failovers(app, Remembered.enter(app, processes=1))
    run(app)
    note(app, "lost", f'{{"at":{round(time.time() * 1000)},"name":"saga.started"}}')
    client = Redis.from_url(each_redis.url)
    client.config_set("maxmemory", 1)
    try:
        assert failovers.look() == []
    finally:
        client.config_set("maxmemory", 0)
    assert [each.saga_id for each in failovers.look()] == ["lost"]


def test_what_a_killed_child_was_told_stays_known(app):
    remembered = Remembered.enter(app, processes=2)
    note(app, "a", '{"at":1}')
    if not os.fork():
        current_process().index = 1
        worker_process_init.send(sender=None)
        note(app, "b", '{"at":2}' + "x" * 1000)
        os.kill(os.getpid(), signal.SIGKILL)
    os.wait()
    note(app, "c" * 200, "{}")
    first, third, second = remembered
    assert (first, third) == (Acknowledged("a", '{"at":1}'), Acknowledged("c" * 200, "{}"))
    assert second.saga_id == "b"
    assert second.event.startswith('{"at":2}xxx')


def test_a_worker_that_was_killed_as_a_whole_finds_it_at_its_next_start(app, tmp_path):
    file = tmp_path / "orders@host"
    if not os.fork():
        Remembered.enter(app, processes=1, file=file)
        note(app, "a", '{"at":1}')
        os.kill(os.getpid(), signal.SIGKILL)
    os.wait()
    assert list(Remembered.enter(app, processes=1, file=file)) == [Acknowledged("a", '{"at":1}')]
    with pytest.raises(ConfigurationError, match=r"amends_acknowledged_file: .* cannot be written"):
        Remembered.enter(app, processes=1, file=tmp_path)


def test_only_the_last_transitions_are_remembered(app):
    remembered = Remembered.enter(app, processes=0)
    for k in range(5_000):
        note(app, f"s{k}", "{}")
    ids = {each.saga_id for each in remembered}
    assert "s4999" in ids
    assert "s0" not in ids
    assert len(ids) < 5_000


def test_another_apps_transitions_are_not_looked_for_in_this_log(app, each_redis):
    remembered = Remembered.enter(Celery("another", set_as_current=False), processes=0)
    run(app)
    assert list(remembered) == []
