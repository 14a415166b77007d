"""What a Redis that is not as sagas need it is found out by; each is a real one."""

import json

import pytest
from redis import Redis

from amends.definition.itinerary import FORMAT
from amends.log.queries.lost_writes import LostWrite
from amends.log.saga_log import SagaLog
from demo.ports import free_port
from tests.integration.diagnosis.deployment.doctor_process import hanging, server
from tests.support.engine_saga import job_saga
from tests.support.log_view import LogView

RIGHT = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "always"}


@pytest.fixture(scope="module")
def ailing(tmp_path_factory):
    """Run a Redis that is there to be misconfigured."""
    with server(tmp_path_factory.mktemp("ailing")) as url:
        yield url


@pytest.fixture
def configure(ailing):
    """Give the way to misconfigure it for one test."""
    with Redis.from_url(ailing, decode_responses=True) as client:
        yield client.config_set
        for name, value in {**RIGHT, "maxmemory": 0}.items():
            client.config_set(name, value)


def of_the_log(findings):
    return {code for code in findings if code.startswith("log.")}


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("maxmemory-policy", "allkeys-lru", "log.eviction"),
        ("maxmemory-policy", "volatile-ttl", "log.eviction"),
        ("appendonly", "no", "log.persistence"),
        ("appendfsync", "everysec", "log.fsync"),
    ],
)
def test_a_log_that_may_lose_what_it_acknowledged_is_found(
    doctor, ailing, configure, setting, value, code
):
    configure(setting, value)
    found = doctor.finds(amends_backend=ailing)
    assert of_the_log(found) == {code}
    assert f"{setting} {value}" in found[code]


def test_a_log_that_has_hardly_room_left_is_found(doctor, ailing, configure):
    with Redis.from_url(ailing) as client:
        configure("maxmemory", client.info()["used_memory"] + 50_000)
    assert of_the_log(doctor.finds(amends_backend=ailing)) == {"log.memory"}


def test_a_log_with_fewer_replicas_than_are_waited_for_is_found(doctor, ailing):
    found = doctor.finds(amends_backend=ailing, amends_wait_replicas=1)
    assert of_the_log(found) == {"log.replicas"}
    assert "has 0 replicas, and amends_wait_replicas is 1" in found["log.replicas"]
    assert "log.replicas" in doctor.sees(amends_backend=ailing)


def test_a_log_with_another_number_of_shards_is_found(doctor, ailing):
    with Redis.from_url(ailing) as client:
        client.set("amends:shards", 16)
        try:
            assert of_the_log(doctor.finds(amends_backend=ailing)) == {"log.shards"}
        finally:
            client.flushall()


def test_live_sagas_of_a_newer_release_are_found(doctor, ailing):
    with Redis.from_url(ailing, decode_responses=True) as client:
        SagaLog(client).starts.start_saga("order-1", job_saga.itinerary, "{}")
        view = LogView(client)
        plan = json.loads(job_saga.itinerary.json_text) | {"requires": FORMAT + 1}
        definitions = view.keys_of("order-1")[3]
        client.hset(definitions, job_saga.itinerary.digest, json.dumps(plan))
        try:
            found = doctor.finds(amends_backend=ailing)
        finally:
            client.flushall()
    assert of_the_log(found) == {"log.newer"}
    assert "which this one cannot run: order-1" in found["log.newer"]


def test_a_log_is_not_written_to(doctor, ailing):
    doctor.finds(amends_backend=ailing)
    with Redis.from_url(ailing) as client:
        assert client.dbsize() == 0


def test_a_hosted_log_that_hides_its_configuration_is_told_of_and_its_password_is_not(
    doctor, ailing, configure
):
    configure("maxmemory-policy", "allkeys-lru")
    with Redis.from_url(ailing) as client:
        client.acl_setuser(
            "hosted", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all", "-config"]
        )
    url = ailing.replace("redis://", "redis://hosted:secret@")
    findings = doctor.examine(amends_backend=url)
    wrong = {each["code"] for each in findings if each["severity"] != "ok"}
    assert of_the_log(wrong) == {"log.hidden", "log.eviction"}
    # INFO knows a part of it; what it does not know is not said to be fine.
    seen = {each["code"] for each in findings}
    assert "log.persistence" in seen
    assert "log.fsync" not in seen
    assert "secret" not in str(findings)


def test_a_log_that_is_a_replica_is_found(doctor, ailing):
    with Redis.from_url(ailing) as client:
        client.replicaof("127.0.0.1", free_port())
        try:
            assert "log.replica" in doctor.finds(amends_backend=ailing)
        finally:
            client.replicaof("NO", "ONE")


def test_a_log_that_is_a_cluster_is_found(doctor, tmp_path):
    with server(tmp_path, cluster_enabled="yes") as url:
        assert "log.cluster" in doctor.finds(amends_backend=url)


def test_a_log_that_refuses_its_user_is_told_of_as_such(doctor, ailing):
    found = doctor.finds(amends_backend=ailing.replace("//", "//nobody:secret@"))
    assert of_the_log(found) == {"log.away"}
    assert "refuses the user or the password (NOAUTH)" in found["log.away"]
    assert "secret" not in found["log.away"]


def test_a_database_of_something_else_is_told_of_as_such(doctor, ailing):
    with Redis.from_url(ailing) as client:
        client.lpush("amends:shards", "mine")
        found = doctor.finds(amends_backend=ailing)
        client.flushall()
    assert of_the_log(found) == {"log.away"}
    assert "holds other data under a key of the saga log (WRONGTYPE)" in found["log.away"]


def test_a_broker_that_may_evict_messages_is_found(impatient_doctor, ailing, configure):
    configure("maxmemory-policy", "allkeys-lru")
    found = impatient_doctor.finds(broker_url=ailing)
    assert "broker.eviction" in found
    assert of_the_log(found) == set()


def test_servers_that_hang_are_away(impatient_doctor, tmp_path):
    with server(tmp_path) as url, hanging(url):
        found = impatient_doctor.finds(amends_backend=url, broker_url=url)
    assert found.keys() == {"log.away", "broker.away"}


def test_what_a_failover_lost_is_found(doctor, ailing):
    with Redis.from_url(ailing, decode_responses=True) as client:
        writes = SagaLog(client).lost_writes
        writes.note([LostWrite(saga_id="order-1", name="step.completed", record="pay", at=1.0)])
        found = doctor.finds(amends_backend=ailing)
        client.delete(LogView(client).lost_key)
    assert of_the_log(found) == {"log.lost_writes"}
    assert "lost 1 transitions that were acknowledged, of sagas order-1" in found["log.lost_writes"]
