"""A scrape is answered while a server that it looks at hangs, and says which."""

import socket
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest
from celery import Celery

from amends.log.saga_log import log_of
from amends.telemetry.prometheus import MetricsServer, SagaCollector
from demo.ports import free_port
from demo.programs import running
from demo.servers import RedisServer
from tests.support.log_view import view_of
from tests.support.redis_clusters import own_cluster

SHORT = 0.1
"""Seconds that a scrape waits here: far less than what hangs takes, until it gives up by itself."""


def app_of(backend: str, broker: str = "memory://", **settings: object) -> Celery:
    app = Celery("hanging", broker=broker, set_as_current=False)
    app.conf.update(amends_backend=backend, **settings)
    return app


def values(collector: SagaCollector) -> dict[str, float]:
    return {s.name: s.value for family in collector.collect() for s in family.samples}


def looks() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "amends-scrape"]


@pytest.fixture
def redis(tmp_path) -> Iterator[RedisServer]:
    server = RedisServer("redis", directory=tmp_path)
    with running(server):
        yield server
        server.thaw()


@pytest.fixture
def unresolved(monkeypatch) -> Iterator[str]:
    """Give the name of a host whose address a resolver never tells."""
    known, told = socket.getaddrinfo, threading.Event()

    def resolve(host: str, *rest: object, **more: object) -> object:
        if host == "nowhere.test":
            told.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "no resolver answered")
        return known(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    yield "nowhere.test"
    told.set()
    for each in looks():
        each.join()


def test_a_redis_that_is_frozen_is_told_before_its_client_gives_up(redis, caplog):
    app = app_of(f"{redis.url}/1", f"{redis.url}/0")
    collector = SagaCollector(app, patience=SHORT)
    eventually_up(collector)
    redis.freeze()
    found = values(collector)
    assert looks(), "the client has given up before the scrape was answered"
    assert (found["amends_log_up"], found["amends_broker_up"]) == (0, 0)
    assert "amends_sagas_due" not in found
    assert "without the saga log: the saga log did not answer within 0.1 s" in caplog.text
    redis.thaw()
    eventually_up(collector)


def eventually_up(collector: SagaCollector) -> None:
    """Scrape until the log answers in time."""
    for _ in range(600):
        if values(collector)["amends_log_up"] == 1:
            return
        for each in looks():
            each.join()
    raise AssertionError("the log never answered")


@pytest.mark.parametrize("kind", ["redis://{}:6379/0", "redis+cluster://{}:6379"])
def test_a_resolver_that_hangs_keeps_no_scrape_and_one_thread_a_server(unresolved, kind):
    app = app_of(kind.format(unresolved), f"redis://{unresolved}:6379/0")
    collector = SagaCollector(app, patience=SHORT)
    for _ in range(3):
        found = values(collector)
        assert (found["amends_log_up"], found["amends_broker_up"]) == (0, 0)
    assert len(looks()) == 3  # of the log, its circuit breakers, and the broker


def test_what_hangs_takes_nothing_of_the_rest_along(unresolved, redis):
    app = app_of(f"redis://{unresolved}:6379/0", f"{redis.url}/0")
    found = values(SagaCollector(app))
    assert (found["amends_log_up"], found["amends_broker_up"]) == (0, 1)
    assert "amends_queue_messages" in found


def test_a_redis_that_refuses_connections_is_told(redis):
    app = app_of(f"redis://127.0.0.1:{free_port()}/0", f"{redis.url}/0")
    found = values(SagaCollector(app))
    assert (found["amends_log_up"], found["amends_broker_up"]) == (0, 1)


@pytest.mark.servers
def test_a_cluster_one_of_whose_nodes_is_frozen_is_told(tmp_path):
    with own_cluster(tmp_path) as cluster:
        collector = SagaCollector(app_of(cluster.url), patience=SHORT)
        eventually_up(collector)
        cluster.nodes[-1].freeze()
        assert values(collector)["amends_log_up"] == 0
        assert looks()
        cluster.nodes[-1].thaw()


OTHER_LOGS: dict[str, Callable[[], dict[str, object]]] = {
    "amends_shards says 16; set it to 64": lambda: {"amends_shards": 16},
    "layout 3, which a newer release": dict,
}


@pytest.mark.parametrize("reason", OTHER_LOGS)
def test_a_log_with_other_shards_or_of_another_layout_is_not_counted_in_part(redis, reason, caplog):
    backend = f"{redis.url}/1"
    log_of(app_of(backend)).workers.note_heartbeat("worker", [1])
    app = app_of(backend, **OTHER_LOGS[reason]())
    if "layout" in reason:
        view_of(log_of(app)).client.set("amends:shards", "64 3")
    found = values(SagaCollector(app))
    assert found["amends_log_up"] == 0
    assert "amends_workers" not in found
    assert reason in caplog.text


def test_a_log_that_was_made_anew_with_other_shards_is_noticed(redis, caplog):
    backend = f"{redis.url}/1"
    log_of(app_of(backend)).workers.note_heartbeat("worker", [1])
    collector = SagaCollector(app_of(backend))
    assert values(collector)["amends_workers"] == 1
    view_of(log_of(app_of(backend))).client.flushdb()
    log_of(app_of(backend, amends_shards=16)).workers.note_heartbeat("worker", [1])
    assert values(collector)["amends_log_up"] == 0
    assert "set it to 16" in caplog.text


def test_a_fault_of_ours_hides_no_other_metric_and_has_its_traceback(redis, monkeypatch, caplog):
    monkeypatch.setattr(
        "amends.telemetry.prometheus.log_metrics.add_readings", lambda *_: {}["a fault"]
    )
    found = values(SagaCollector(app_of(f"{redis.url}/1", f"{redis.url}/0")))
    assert (found["amends_log_up"], found["amends_broker_up"]) == (0, 1)
    assert "KeyError: 'a fault'" in caplog.text


def test_servers_are_looked_at_at_once(redis, monkeypatch):
    seen = threading.Event()

    def wait_for_the_other(*_: object) -> None:
        assert seen.wait(60)

    collector = "amends.telemetry.prometheus.collector"
    monkeypatch.setattr(f"{collector}.add_log", wait_for_the_other)
    monkeypatch.setattr(f"{collector}.add_queues", lambda *_: seen.set())
    app = app_of(f"{redis.url}/1", f"{redis.url}/0")
    found = values(SagaCollector(app, patience=60))
    assert (found["amends_log_up"], found["amends_broker_up"]) == (1, 1)


def test_prometheus_gets_its_answer_while_the_redis_is_frozen(redis):
    app = app_of(f"{redis.url}/1", f"{redis.url}/0")
    with MetricsServer(app, port=0, address="127.0.0.1") as server:
        redis.freeze()
        assert "amends_log_up 0.0" in httpx.get(server.url, timeout=60).text
