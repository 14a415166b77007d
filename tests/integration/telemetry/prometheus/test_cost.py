"""What a scrape costs: as much with many sagas in the log as with few."""

from collections import Counter

import pytest
from redis.connection import AbstractConnection

from amends.telemetry.prometheus import SagaCollector
from tests.integration.telemetry.prometheus.errand_saga import errand_saga
from tests.support.servers import shared_redis


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    """Give a Redis that nobody else speaks to, for what it counts is all that it was asked."""
    with shared_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def cost(app, client, monkeypatch):
    """Give what measures a scrape: round trips to the log, commands, and bytes of its Redis' answers."""
    collector = SagaCollector(app)
    # Those that other tests of this process define are asked one by one.
    monkeypatch.setattr("amends.telemetry.prometheus.gauges.circuits", lambda _: [])
    database = client.connection_pool.connection_kwargs["db"]
    trips = Counter()
    send = AbstractConnection.send_packed_command

    def counting(connection, *arguments, **options):
        trips[connection.db] += 1
        return send(connection, *arguments, **options)

    def measure():
        # Sources are read at once, so that one may open a connection anew: that is no cost of a scrape.
        return min(measure_once() for _ in range(3))

    def measure_once():
        list(collector.collect())  # it connects
        with monkeypatch.context() as patched:
            patched.setattr(AbstractConnection, "send_packed_command", counting)
            before = client.info("stats")
            trips.clear()
            list(collector.collect())
            made = trips[database]
            after = client.info("stats")
        return made, *(after[name] - before[name] for name in STATISTICS)

    return measure


STATISTICS = ("total_commands_processed", "total_net_output_bytes")


def add_many(log, prefix, count):
    """Let so many sagas end, through the scripts that any saga goes through, and as many wait."""
    ended, waiting = (
        [f"{prefix}-{kind}-{k}" for k in range(count)] for kind in ("ended", "waiting")
    )
    log.starts.start_sagas(
        errand_saga.itinerary, [(saga_id, "{}") for saga_id in (*ended, *waiting)]
    )
    for path in ("fetch", "deliver"):
        for saga_id in ended:
            log.claim_step(saga_id, path, token="t", owner="", retries=0)
            log.complete_step(saga_id, path, token="t", output="{}", link="")


def test_a_scrape_costs_the_same_with_few_and_with_many_sagas(cost, log, ids):
    add_many(log, "few", 50)
    trips, commands, answered = cost()
    assert 0 < trips <= 14
    add_many(log, "many", 200)
    trips_of_many, commands_of_many, answered_of_many = cost()
    assert (trips_of_many, commands_of_many) == (trips, commands)
    assert answered_of_many < answered * 1.1
