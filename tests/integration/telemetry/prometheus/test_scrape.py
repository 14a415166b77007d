"""A scrape of a log in which a saga of every kind ran."""

from collections import Counter

import pytest
from celery import Celery

from amends import CircuitBreaker
from amends.errors import LogUnavailable
from amends.log.heartbeats import MOST_TOLD
from amends.log.history import Event
from amends.log.saga_log import log_of
from amends.outbox import table
from amends.outbox.adapters import database_of
from amends.outbox.entry import Entry
from amends.telemetry.prometheus import SagaCollector, exposition
from amends.telemetry.prometheus.catalogue import METRICS
from tests.integration.telemetry.prometheus.errand_saga import Errand, errand_saga, run, start
from tests.support.log_view import view_of
from tests.support.sagas.shapes import Order, approval, shape_of

asked_saga = shape_of("scraped_asked", approval(), timeout=None)


def test_every_metric_has_a_sample(scrape):
    shown = {family.name: family for family in scrape.families}
    lacking = [m.name for m in METRICS if not shown[m.name.removesuffix("_total")].samples]
    assert lacking == ["amends_verifications_total"]  # no step of these sagas is verified


def test_no_sample_has_an_id(scrape, ids):
    values = {value for sample in scrape.samples for value in sample.labels.values()}
    assert "errand" in values
    assert values.isdisjoint(ids)


def test_sagas_are_counted_by_where_they_are(scrape, log, ids):
    expected = Counter(log.read_status(saga_id) for saga_id in ids)
    for status, count in expected.items():
        assert scrape.value("amends_sagas", saga="errand", status=status) == count
    assert scrape.value("amends_sagas") == len(ids)


def test_sagas_that_ended_are_counted_by_their_outcome(scrape):
    ended = lambda **labels: scrape.value("amends_sagas_ended_total", **labels)  # noqa: E731
    assert ended(status="completed", outcome="completed") == 3
    assert ended(status="compensated", outcome="not_delivered") == 2
    assert ended(status="compensated", outcome="not_found") == 1
    assert ended(status="compensated", outcome="cancelled") == 1
    assert ended() == scrape.value("amends_saga_duration_seconds_count")


@pytest.fixture(scope="module")
def histories(every_kind, log) -> list[Event]:
    """Give the events of all sagas of `ids`, as they were written until the scrape."""
    return [event for saga_id in every_kind[0] for event in log.read_history(saga_id)]


@pytest.mark.parametrize(
    ("name", "labels", "event", "record"),
    [
        ("amends_sagas_started_total", {}, "saga.started", None),
        ("amends_sagas_turned_back_total", {}, "saga.compensating", None),
        ("amends_sagas_stuck_total", {}, "saga.stuck", None),
        ("amends_acts_total", {"act": "retry"}, "saga.retried", None),
        ("amends_acts_total", {"act": "skip"}, "step.skipped", "fetch"),
        ("amends_step_attempts_total", {"result": "done", "step": "deliver"}, "step.completed", "deliver"),
        ("amends_step_attempts_total", {"result": "retried", "channel": "fallback"}, "step.retrying", "fetch:fallback"),
        ("amends_step_fallbacks_total", {"step": "fetch"}, "step.switching", "fetch"),
        (
            "amends_compensation_attempts_total",
            {"result": "done", "channel": "primary"},
            "step.compensated",
            "fetch:undo",
        ),
        ("amends_compensation_attempts_total", {"result": "stuck"}, "step.stuck", "fetch:undo"),
        ("amends_step_late_results_total", {"step": "fetch"}, "step.late", "fetch"),
        ("amends_step_unregistered_total", {"step": "fetch"}, "step.unregistered", "fetch"),
    ],
)  # fmt: skip
def test_a_counter_says_what_the_histories_say(scrape, histories, name, labels, event, record):
    written = [each for each in histories if (each.name, each.record) == (event, record)]
    assert written
    assert scrape.value(name, **labels) == len(written)


def test_what_is_stuck_has_an_age_and_what_is_nowhere_has_none(scrape):
    assert scrape.value("amends_sagas_oldest_seconds", status="stuck") > 0
    assert scrape.value("amends_sagas_oldest_seconds", status="compensating") > 0


def test_the_age_is_that_of_the_one_that_came_first(scraped, log, client):
    began = client.time()[0]
    for saga_id, ago in {"older": 7200, "younger": 60}.items():
        run(saga_id, "deliver", "give_back")
        shard = view_of(log).shard_of(saga_id)
        client.zadd(view_of(log).index_key(shard, "stuck"), {saga_id: (began - ago) * 1000})
    age = scraped().value("amends_sagas_oldest_seconds", status="stuck")
    assert 7200 <= age <= 7200 + client.time()[0] + 1 - began


def test_a_saga_that_waits_is_counted_and_is_no_old_one(scraped, log, client):
    before = scraped().value("amends_sagas_waiting")
    asked_saga.start(Order(job_id="asked"), saga_id="asked")
    index = view_of(log).index_key(view_of(log).shard_of("asked"), "running")
    client.zincrby(index, -(10**9), "asked")
    shown = scraped()
    assert shown.value("amends_sagas_waiting") == before + 1
    assert shown.value("amends_sagas_oldest_seconds", status="running") < 10**6


def test_a_saga_that_begins_later_is_no_old_one(scraped, log, client, app):
    app.conf.task_always_eager = False
    errand_saga.start(Errand(errand_id="later"), saga_id="later", after=7200.0)
    app.conf.task_always_eager = True
    index = view_of(log).index_key(view_of(log).shard_of("later"), "pending")
    client.zincrby(index, -(10**9), "later")
    assert scraped().value("amends_sagas_oldest_seconds", status="pending") < 10**6


def test_a_saga_that_no_sweep_takes_is_due_and_the_lag_grows(scraped, log, client):
    log.maintenance.take_due(lease=3600.0, limit=10_000)
    before = scraped()
    assert before.value("amends_sagas_due") == 0
    assert before.value("amends_sweep_lag_seconds") == 0
    start(log, "forgotten")
    due = view_of(log).due_key(view_of(log).shard_of("forgotten"))
    since = client.time()[0] - 90
    client.zadd(due, {"forgotten": since * 1000})
    after = scraped()
    assert after.value("amends_sagas_due") == 1
    assert 90 <= after.value("amends_sweep_lag_seconds") <= client.time()[0] + 1 - since


def test_a_worker_counts_while_its_heartbeat_is_fresh(scraped, log, client, ids):
    log.workers.note_heartbeat("silent", [1])
    both = scraped().value("amends_workers")
    [key] = client.keys("*workers*:silent")
    client.hincrby(key, "at", -11_000)
    assert scraped().value("amends_workers") == both - 1


def test_what_workers_have_in_hand_is_counted_by_their_name(scraped, log, client, ids):
    def beat(worker, node, messages):
        log.workers.note_heartbeat(worker, [1], messages, node=node)

    def in_hand(name):
        return scraped().value("amends_worker_messages", worker=name)

    beat("w1", "orders@a", ["m1", "m2"])
    beat("w2", "orders@b", ["m3"])
    beat("w3", "undos@a", [])
    assert (in_hand("orders"), in_hand("undos")) == (3, 0)
    beat("w3", "undos@a", None)  # too many to tell
    assert in_hand("undos") == MOST_TOLD
    [key] = client.keys("*workers*:w2")
    client.hincrby(key, "at", -11_000)  # it is silent
    assert in_hand("orders") == 2


def test_the_state_of_a_circuit_is_one_of_all(scrape):
    assert scrape.value("amends_breaker_state", breaker="courier", state="closed") == 1
    assert scrape.value("amends_breaker_state", breaker="courier") == 1


def test_every_queue_of_the_app_is_shown(scraped, app):
    with app.connection_for_write() as connection:
        connection.default_channel.queue_declare("returns")
        connection.default_channel.basic_publish(
            connection.default_channel.prepare_message(b""), "", "returns"
        )
    shown = scraped()
    queues = {s.labels["queue"] for s in shown.samples if s.name == "amends_queue_messages"}
    assert {"errands", "undo", "returns"} <= queues
    assert shown.value("amends_queue_messages", queue="returns") == 1
    assert shown.value("amends_queue_messages", queue="undo") == 0


def test_a_removed_saga_leaves_where_it_was_and_stays_counted(scraped, log, client):
    run("brief")
    before = scraped()
    client.hset(view_of(log).keys_of("brief")[0], "ended", 0)
    assert log.maintenance.remove_sagas(["brief"], kept_for=1.0) == 1
    after = scraped()
    gone = {"saga": "errand", "status": "completed"}
    assert after.value("amends_sagas", **gone) == before.value("amends_sagas", **gone) - 1
    total = "amends_sagas_ended_total"
    assert after.value(total, **gone) == before.value(total, **gone)


def test_another_process_shows_the_same_counters(app, scraped):
    counters = lambda text: [line for line in text.splitlines() if "_total{" in line]  # noqa: E731
    assert counters(exposition(app)) == counters(scraped().text)


NOWHERE = "redis://127.0.0.1:1/0"


def scrape_of(*, broker: str, backend: str) -> dict[str, float]:
    app = Celery("errands", broker=broker, set_as_current=False)
    app.conf.update(amends_backend=backend, amends_shards=4)  # as the log has
    samples = (sample for family in SagaCollector(app).collect() for sample in family.samples)
    return {sample.name: sample.value for sample in samples}


def test_a_scrape_without_the_log_says_so_and_shows_the_queues(app):
    found = scrape_of(broker=app.conf.broker_url, backend=NOWHERE)
    assert found["amends_log_up"] == 0
    assert found["amends_broker_up"] == 1
    assert "amends_queue_messages" in found
    assert "amends_sagas" not in found


def test_of_a_breaker_of_each_worker_every_live_workers_circuit_is_shown(scraped, app):
    hosts = CircuitBreaker("hosts", failure_on=(OSError,), scope="worker")
    log_of(app).workers.note_heartbeat("sick", [1], node="sick@h")
    hosts.of("sick@h").force_open(by="ada")
    shown = scraped()
    assert shown.value("amends_breaker_state", breaker="hosts@sick@h", state="forced_open") == 1
    assert "hosts" not in {sample.labels.get("breaker") for sample in shown.samples}


def test_a_scrape_while_the_breakers_still_leave_redis_alone_shows_the_log(
    scraped, monkeypatch, ids
):
    def away(*_):
        raise LogUnavailable("left alone after an error")

    monkeypatch.setattr("amends.telemetry.prometheus.collector.add_breakers", away)
    shown = scraped()
    assert shown.value("amends_log_up") == 1
    assert "amends_sagas" in {sample.name for sample in shown.samples}


def test_a_scrape_without_the_broker_says_so_and_shows_the_sagas(app, ids):
    found = scrape_of(broker=NOWHERE, backend=app.conf.amends_backend)
    assert found["amends_broker_up"] == 0
    assert found["amends_log_up"] == 1
    assert "amends_sagas" in found
    assert "amends_queue_messages" not in found


def test_what_stands_in_the_outbox_is_shown(app, scraped):
    assert scraped().value("amends_outbox_up") == 1
    assert scraped().value("amends_outbox_starts", state="waiting") == 0
    entries = [Entry.of(f"order-{n}", "order", "{}", at=None, after=None) for n in range(3)]
    with database_of(app).transaction() as connection:
        for each in entries:
            table.write(connection, each, namespace="")
        table.postpone(connection, entries[0], due_at=0.0, error="no")
    scrape = scraped()
    assert scrape.value("amends_outbox_starts", state="waiting") == 2
    assert scrape.value("amends_outbox_starts", state="failing") == 1
    assert scrape.value("amends_outbox_oldest_seconds", state="waiting") > 0
    with database_of(app).transaction() as connection:
        table.remove(connection, [each.entry_id for each in entries])


@pytest.mark.parametrize("url", ["postgresql+psycopg://nobody@127.0.0.1:1/shop", "sqlite://"])
def test_an_outbox_that_is_away_leaves_the_rest(app, scraped, monkeypatch, url):
    monkeypatch.setitem(app.conf, "amends_outbox_url", url)
    scrape = scraped()
    assert scrape.value("amends_outbox_up") == 0
    assert not scrape.has("amends_outbox_starts")
    assert scrape.value("amends_log_up") == 1


def test_without_an_outbox_nothing_is_shown_of_one(app, scraped, monkeypatch):
    monkeypatch.setitem(app.conf, "amends_outbox_url", None)
    assert not scraped().has("amends_outbox_up")


def test_an_archive_that_fails_and_ids_that_are_remembered_are_shown(log, scraped):
    log.archiving.note_archived("t", sagas=3)
    log.archiving.note_archived("t", sagas=0, error="OSError: the disk is full")
    scrape = scraped()
    assert scrape.value("amends_archive_sagas_total") == 3
    assert scrape.value("amends_archive_failures_total") == 1
    assert 0 <= scrape.value("amends_archive_failing_seconds") < 3600
    ended = log.maintenance.read_ended(ago=0.0, limit=1)[:1]
    assert log.maintenance.remove_sagas(ended, kept_for=0.0, remembers=True) == 1
    assert scraped().value("amends_remembered_sagas") == 1
