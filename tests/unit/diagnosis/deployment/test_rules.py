"""Rules about what no test can bring about on a real server."""

from dataclasses import replace

import pytest
from celery import Celery
from kombu import Queue

from amends.backend.settings import Settings, settings_of
from amends.breaker.states import CircuitState
from amends.diagnosis.deployment import (
    archive_rules,
    breaker_rules,
    link_rules,
    log_rules,
    rabbitmq,
    redis_rules,
    worker_rules,
)
from amends.diagnosis.deployment import broker_rules as broker
from amends.diagnosis.deployment.breaker_rules import WorkerCircuits
from amends.diagnosis.deployment.broker_rules import BrokerUse
from amends.diagnosis.deployment.destinations import Destination
from amends.diagnosis.deployment.findings import Severity
from amends.diagnosis.deployment.log_state import LogState
from amends.diagnosis.deployment.rabbitmq import RabbitServer
from amends.diagnosis.deployment.redis_server import RedisServer
from amends.diagnosis.deployment.worker_inspection import Worker
from amends.diagnosis.deployment.worker_rules import Crew
from amends.log.archiving.state import ArchiveState
from amends.log.heartbeats import Heartbeat
from amends.log.schedules.state import LEFT_AFTER, ScheduleState

SERVER = RedisServer(
    url="redis://log/1",
    info={"redis_version": "7.4.1", "maxmemory": 0, "used_memory": 1},
    settings={"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"},
    round_trip=0.001,
)
USE = BrokerUse(
    url="amqp://broker",
    kind="amqp",
    options={},
    settings=Settings(backend="redis://log/1"),
    destinations=[
        Destination(task="quick", queue="work", limit=10.0),
        Destination(task="slow", queue="work", limit=1490.0),
    ],
)


def wrong(rules, facts):
    findings = [finding for rule in rules for finding in rule.apply(facts)]
    return [finding.code for finding in findings if finding.severity is not Severity.OK]


def server(**info):
    return replace(SERVER, info={**SERVER.info, **info})


def test_nothing_is_wrong_with_a_good_server():
    assert wrong(redis_rules.RULES, SERVER) == []


@pytest.mark.parametrize(
    ("version", "found"),
    [("6.0.20", ["log.version"]), ("5.0.14", ["log.version"]), ("6.2.0", []), ("7.2-rc1", [])],
)
def test_a_redis_that_is_too_old_is_found(version, found):
    assert wrong(redis_rules.RULES, server(redis_version=version)) == found


@pytest.mark.parametrize("name", ["aof_last_write_status", "rdb_last_bgsave_status"])
def test_a_disk_that_takes_no_writes_is_found(name):
    assert wrong(redis_rules.RULES, server(**{name: "err"})) == ["log.writes"]


def test_a_log_that_is_too_far_away_for_circuit_breakers_is_found():
    assert wrong(redis_rules.RULES, replace(SERVER, round_trip=0.101)) == ["log.latency"]


def test_a_message_that_rabbitmq_would_not_wait_for_is_found_with_its_task():
    assert wrong(broker.RULES, USE) == []  # 300 s of countdown, 1490 s and 10 s more
    longer = replace(USE, destinations=[Destination(task="slow", queue="work", limit=1491.0)])
    assert wrong(broker.RULES, longer) == ["broker.consumer_timeout"]
    (said,) = [
        finding.what
        for rule in broker.RULES
        for finding in rule.apply(longer)
        if finding.severity is not Severity.OK
    ]
    assert "1801 s" in said
    assert "the limits of slow" in said
    assert "assumed" in said


def test_a_message_that_its_queue_would_not_wait_for_is_found_by_what_the_queue_is_declared_with():
    kept = replace(USE, consumer_timeouts={"work": 3600.0, "brief": 20.0})
    assert wrong(broker.RULES, kept) == ["broker.consumer_timeout"]
    longer = [Destination(task="slow", queue="work", limit=1491.0)]
    patient = replace(USE, destinations=longer, consumer_timeouts={"work": 7200.0})
    assert wrong(broker.RULES, patient) == []


def test_a_consumer_timeout_that_cannot_be_asked_is_said_to_be_assumed():
    said = [each.what for rule in broker.RULES for each in rule.apply(USE)]
    assert [each for each in said if "consumer_timeout" in each and "assumed" in each]


def test_what_a_queue_is_declared_with_is_read(redis_url):
    app = Celery("declaring", broker="amqp://", set_as_current=False)
    app.conf.amends_backend = redis_url
    app.conf.task_queues = [Queue("brief", queue_arguments={"x-consumer-timeout": 20_000})]
    use = broker.use_of(app, settings_of(app), ())
    assert (use.kind, use.consumer_timeouts) == ("amqp", {"brief": 20.0})


@pytest.mark.parametrize(
    ("server", "celery", "found"),
    [
        ("3.10.8", "5.6.2", ["broker.delayed"]),
        ("4.0.0-rc.1", "5.5.0", ["broker.delayed"]),
        ("3.13.7", "5.6.3", []),
        ("4.0.1", "5.5.0", []),
        ("4.10.0", "5.5.0", []),
    ],
)
def test_a_rabbitmq_that_drops_what_an_old_celery_retries_is_found(server, celery, found):
    told = RabbitServer(url="amqp://b", version=server, quorum_queue="q", celery_version=celery)
    assert wrong(rabbitmq.RULES, told) == found
    assert wrong(rabbitmq.RULES, replace(told, quorum_queue="")) == []


@pytest.mark.parametrize(
    ("pool", "kind", "confirms", "found"),
    [
        ("gevent", "amqp", True, ["workers.confirms"]),
        ("gevent", "amqp", False, []),
        ("gevent", "redis", True, []),
        ("prefork", "amqp", True, []),
    ],
)
def test_publisher_confirms_in_a_worker_with_greenlets_are_found(pool, kind, confirms, found):
    use = replace(USE, kind=kind, options={"confirm_publish": confirms})
    worker = Worker(node="w1@h", queues=frozenset(), tasks={}, pool=pool)
    crew = Crew(workers=[worker], heartbeats=None, destinations=(), confirms=use.confirms)
    assert set(wrong(worker_rules.RULES, crew)) & {"workers.confirms"} == {*found}


def test_a_worker_whose_calls_alone_fail_is_named():
    states = {"w1@h": CircuitState.OPEN, "w2@h": CircuitState.CLOSED, "w3@h": CircuitState.CLOSED}
    found = [WorkerCircuits(breaker="pay", states=states)]
    assert wrong(breaker_rules.RULES, found) == ["breakers.alone"]
    (finding,) = [each for rule in breaker_rules.RULES for each in rule.apply(found)]
    assert (finding.where, finding.what) == (
        "w1@h",
        "calls behind pay fail in w1@h and not in w2@h, w3@h",
    )
    everywhere = [WorkerCircuits(breaker="pay", states=dict.fromkeys(states, CircuitState.OPEN))]
    assert wrong(breaker_rules.RULES, everywhere) == []


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("sentinel://a:1;sentinel://b:1/2", ["broker.parts"]),
        ("amqp://a/x;amqp://b//", ["broker.parts"]),
        ("sentinel://a:1/2;sentinel://b:1/2", []),
        ("sentinel://a:1;sentinel://b:1/0", []),
        ("redis://a:1/3", []),
    ],
)
def test_a_broker_whose_parts_lead_elsewhere_is_found(url, found):
    app = Celery("parts", broker=url, set_as_current=False)
    app.conf.amends_backend = "redis://log/1"
    use = broker.use_of(app, settings_of(app), ())
    assert [each for each in wrong(broker.RULES, use) if each == "broker.parts"] == found


@pytest.mark.parametrize(
    ("url", "key", "found"),
    [
        (None, None, 0),
        ("https://shop.example/links", "k" * 32, 0),
        ("http://localhost:8000", "k" * 32, 0),
        ("http://127.0.0.1:8000", "k" * 32, 0),
        ("http://shop.example/links", "k" * 32, 1),
        ("https://shop.example/links", None, 1),
        (None, "k" * 32, 1),
        ("http://shop.example/links", None, 2),
    ],
)
def test_half_a_setup_of_links_and_one_without_tls_are_found(url, key, found):
    settings = Settings(backend="redis://log/1", http_url=url, http_key=key and (key,))
    assert wrong([link_rules.incomplete], settings) == ["config.links"] * found


def test_the_setting_that_is_missing_is_named():
    settings = Settings(backend="redis://log/1", http_url="https://shop.example/links")
    (finding,) = link_rules.incomplete.apply(settings)
    assert finding.what.startswith("amends_http_url is set and amends_http_key is not:")
    assert finding.remedy == "set amends_http_key too, or neither"


def schedule(**fields):
    """Return the log's state with one schedule, and a worker."""
    now = 1_000_000
    hash_of = {
        **dict.fromkeys(("since", "seen", "cursor"), f"{now * 1000}"),
        "app": "a",
        "app_name": "shop",
        "definition": '{"saga":"settlement"}',
        "digest": "d",
        **fields,
    }
    beat = Heartbeat(at=now, age=0.0, pids=frozenset(), messages=None)
    return LogState(
        settings=Settings(backend="redis://log/1"),
        servers=(),
        shards=64,
        heartbeats=[beat],
        profiles=(),
        in_use=(),
        schedules=[ScheduleState.read("nightly", now, hash_of)],
    )


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, []),
        ({"seen": f"{round(1_000_000 - LEFT_AFTER) * 1000}"}, ["schedule.left"]),
        ({"error": "LookupError: no rates"}, ["schedule.failing"]),
        ({"paused": "999000000", "by": "ada", "why": "audit"}, ["schedule.paused"]),
    ],
    ids=str,
)
def test_a_schedule_that_starts_nothing_is_found(fields, found):
    assert wrong(log_rules.RULES, schedule(**fields)) == found


def test_without_workers_no_schedule_is_blamed():
    seen = f"{round(1_000_000 - LEFT_AFTER) * 1000}"
    assert wrong(log_rules.RULES, replace(schedule(seen=seen), heartbeats=[])) == []


@pytest.mark.parametrize(
    ("failing", "path", "found"),
    [
        (990.0, "shop:archive", ["archive.failing"]),
        (None, "shop:archive", []),
        (990.0, None, []),  # it was unset since
    ],
)
def test_an_archive_that_fails_is_found(failing, path, found):
    state = ArchiveState(now=1_000.0, failing_since=failing, error="OSError: the disk is full")
    log = replace(
        schedule(), settings=Settings(backend="redis://log/1", archive=path), archive=state
    )
    assert wrong(archive_rules.RULES, log) == found
    told = [each.what for rule in archive_rules.RULES for each in rule.apply(log)]
    assert not found or "has taken nothing for 10 s" in told[0]
