"""Rules about what no test can bring about on a real server."""

from dataclasses import replace

import pytest

from amends.backend.settings import Settings
from amends.diagnosis.deployment import broker_rules as broker
from amends.diagnosis.deployment import log_rules as saga_log
from amends.diagnosis.deployment.broker_rules import BrokerUse
from amends.diagnosis.deployment.destinations import Destination
from amends.diagnosis.deployment.findings import Severity
from amends.diagnosis.deployment.redis_server import RedisServer

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
    assert wrong(saga_log.SERVER_RULES, SERVER) == []


@pytest.mark.parametrize(
    ("version", "found"),
    [("6.0.20", ["log.version"]), ("5.0.14", ["log.version"]), ("6.2.0", []), ("7.2-rc1", [])],
)
def test_a_redis_that_is_too_old_is_found(version, found):
    assert wrong(saga_log.SERVER_RULES, server(redis_version=version)) == found


@pytest.mark.parametrize("name", ["aof_last_write_status", "rdb_last_bgsave_status"])
def test_a_disk_that_takes_no_writes_is_found(name):
    assert wrong(saga_log.SERVER_RULES, server(**{name: "err"})) == ["log.writes"]


def test_a_log_that_is_too_far_away_for_circuit_breakers_is_found():
    assert wrong(saga_log.SERVER_RULES, replace(SERVER, round_trip=0.101)) == ["log.latency"]


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
