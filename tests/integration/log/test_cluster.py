"""A cluster as the log: where requests go, and what becomes of sagas while slots move and nodes end."""

import uuid
from collections import Counter
from contextlib import ExitStack
from itertools import count
from random import Random

import pytest
from celery import Celery

import amends
from amends import CircuitBreaker, ConfigurationError, LogUnavailable
from amends.backend.client import client_of
from amends.backend.script_loading import load_scripts
from amends.definition.states import SagaStatus
from amends.dispatch.in_process import run_here
from amends.log.heartbeats import CLOCKS_DIFFER
from amends.log.queries.listing import find_sagas
from amends.log.queries.query import Query
from amends.log.saga_log import log_of
from amends.worker.sweep import Sweep
from benchmarks.monitor import Monitor
from tests.support.engine_saga import Job, job_saga
from tests.support.eventually import eventually
from tests.support.log_view import view_of
from tests.support.redis_clusters import own_cluster

SAGAS = 300

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """Give a cluster of three primaries, each with a replica."""
    with own_cluster(tmp_path_factory.mktemp("replicated"), replicas=1) as cluster:
        yield cluster


@pytest.fixture(params=[True, False], ids=["fast", "plain"])
def app(request, nodes):
    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    app.conf.update(amends_backend=nodes.url, amends_fast_path=request.param)
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()


def start(saga_id=""):
    saga_id = saga_id or uuid.uuid4().hex
    return job_saga.start(Job(job_id=saga_id), saga_id=saga_id).id


def key_of(app, saga_id):
    return view_of(log_of(app)).saga_key(saga_id)


def test_every_request_of_a_saga_goes_to_its_node_and_nodes_have_equal_shares(app, nodes):
    run_here(app, start())  # it loads the scripts
    draw = Random(app.conf.amends_fast_path)  # noqa: S311
    ids = [uuid.UUID(int=draw.getrandbits(128)).hex for _ in range(SAGAS)]
    with ExitStack() as stack:
        monitors = {node: stack.enter_context(Monitor(node.client)) for node in nodes.primaries}
        for saga_id in ids:
            run_here(app, start(saga_id))
    commands = {node: monitor.commands for node, monitor in monitors.items()}
    for node, sent in commands.items():
        assert {each.name for each in sent} == {"EVALSHA"}
        tags = {each.words[3].partition("}")[0] for each in sent}
        assert {nodes.owner_of(f"{tag}}}") for tag in tags} == {node}
    shares = [len(sent) * len(nodes.primaries) / SAGAS for sent in commands.values()]
    assert (
        sum(shares) / len(shares) == 11
    )  # a start, and of each of three steps a dispatch, a claim and an end; a last dispatch
    assert max(shares) < 1.2 * min(shares)


def test_what_reads_many_sagas_asks_every_node(app):
    jobs = [Job(job_id=uuid.uuid4().hex) for _ in range(60)]
    ids = [job.job_id for job in jobs]
    assert [each.id for each in job_saga.start_many(jobs, saga_ids=ids)] == ids
    found = find_sagas(app, Query(statuses=frozenset({SagaStatus.PENDING})), limit=1_000)
    assert set(ids) <= {each.id for each in found.summaries}
    for saga_id in ids:
        view_of(log_of(app)).make_due(saga_id)
    assert Sweep(app, may_judge=lambda: True).run_once() >= len(ids)
    for saga_id in ids:
        run_here(app, saga_id)
    assert Counter(amends.get(each).outcome for each in ids) == {"completed": len(ids)}


def test_a_saga_goes_on_once_its_slot_has_moved(app, nodes):
    saga_id = start()
    source = nodes.owner_of(key_of(app, saga_id))
    target = next(node for node in nodes.primaries if node is not source)
    with nodes.moving(key_of(app, saga_id), source, target), pytest.raises(LogUnavailable):
        run_here(app, saga_id)  # one half of what a script needs is here, and one half there
    run_here(app, saga_id)
    assert amends.get(saga_id).outcome == "completed"
    assert nodes.owner_of(key_of(app, saga_id)) is target
    with nodes.moving(key_of(app, saga_id), target, source):
        pass


def test_the_number_of_shards_is_found_where_its_slot_has_moved(app, nodes):
    """A start or a worker asks for it before all else, maybe by a map of slots that a failover made old."""
    client, key = client_of(nodes.url), f"shards of {uuid.uuid4().hex}"
    client.set(key, "64")
    source = nodes.owner_of(key)
    target = next(node for node in nodes.owners() if node is not source)
    with nodes.moving(key, source, target):
        pass
    assert load_scripts(client, key, lambda pipeline: pipeline.get(key)) == "64"
    with nodes.moving(key, target, source):
        pass


@pytest.mark.parametrize("how", ["is handed over", "is killed"])
def test_a_saga_goes_on_with_the_replica_of_its_node(app, nodes, how):
    saga_id = start()
    node = nodes.owner_of(key_of(app, saga_id))
    node.client.wait(1, 20_000)
    if how == "is killed":
        node.kill()
    else:
        # The test before killed a node, and not all know yet who has become what.
        eventually(lambda: nodes.replica_of(node).client.info("replication")["role"] == "slave")
        nodes.hand_over(node)

    def goes_on():
        try:
            run_here(app, saga_id)
        except LogUnavailable:
            return False
        return True

    eventually(goes_on)
    assert amends.get(saga_id).outcome == "completed"
    node.start(wait=True)
    eventually(lambda: node.client.info("replication")["role"] == "slave")
    eventually(lambda: node.client.info("replication")["master_link_status"] == "up")


def test_sagas_of_other_nodes_go_on_while_a_node_is_away(app, nodes):
    log_of(app).workers.note_heartbeat("w", [1], [])
    beats = nodes.owner_of(view_of(log_of(app)).workers_key)
    away = next(node for node in nodes.owners() if node is not beats)
    ids = (uuid.uuid4().hex for _ in count())
    saga_id = next(each for each in ids if nodes.owner_of(key_of(app, each)) is not away)
    start(saga_id)
    view_of(log_of(app)).make_due(saga_id)
    away.freeze()
    assert saga_id in log_of(app).maintenance.take_due(lease=1.0, limit=50)
    run_here(app, saga_id)
    assert amends.get(saga_id).outcome == "completed"
    away.thaw()
    eventually(nodes.answers)


def test_a_heartbeat_is_told_as_early_as_any_nodes_clock_may_have_it(app):
    workers = log_of(app).workers
    at = workers.note_heartbeat("w", [1], [])
    told = workers.read_heartbeat("w")
    assert told.at == at - CLOCKS_DIFFER
    assert told.age < CLOCKS_DIFFER  # it is no older for that


def test_a_breaker_is_in_the_cluster_too(app):
    name = f"payments-{uuid.uuid4().hex}"
    breaker = CircuitBreaker(name, failure_on=(OSError,), failure_threshold=2)

    def fail():
        raise OSError("away")

    assert breaker.call(lambda: 1) == 1
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            breaker.call(fail)
    assert breaker.state == "open"


def test_a_node_that_is_asked_as_one_redis_says_what_it_is(nodes):
    app = Celery("stray", broker="memory://", set_as_current=False)
    app.conf.amends_backend = nodes.nodes[0].url
    log = log_of(app)
    with pytest.raises(ConfigurationError, match=r"part of a cluster.* redis\+cluster://"):
        [log.read_status(str(k)) for k in range(30)]
