"""A sweep in a log that another app uses too."""

from collections.abc import Iterator

import pytest
from celery import Celery

from amends import Child, CircuitBreaker
from amends.backend.app_identity import identity_of
from amends.backend.celery_apps import current
from amends.definition.serialization import canonical_json
from amends.dispatch.children import STARTS
from amends.log.profiles import Profile
from amends.log.saga_log import log_of
from amends.worker.sweep import Sweep
from tests.support.clock import redis_now
from tests.support.engine_saga import engine_saga, job_saga
from tests.support.log_view import view_of
from tests.support.sagas.shapes import Order, approval, shape_of, step

ASKED = shape_of("shared_asked", approval(), step("b"))
CHILD = shape_of("shared_child", approval())
PARENT = shape_of("shared_parent", Child(CHILD), outputs={"job_id": "input.job_id"})


@pytest.fixture
def others_broker(redis_url, broker) -> Iterator[str]:
    """Give the URL of a broker that is not the app's."""
    broker.execute_command("SELECT", 4)
    broker.flushdb()
    yield f"{redis_url}/4"
    broker.flushdb()
    broker.execute_command("SELECT", 2)


def app_like(app, *, knows=True, **changes):
    """Make an app with the same log as `app`, and with no task of its sagas unless it `knows` them."""
    other = Celery(app.main, set_as_current=False)
    other.conf.update({**app.conf.changes, "broker_url": app.conf.broker_url, **changes})
    if not knows:
        other.finalize()
        for name in [name for name in other.tasks if name.startswith("tests.")]:
            other.tasks.unregister(name)
    return other


@pytest.fixture
def lost(app, broker, log, saga_id):
    """Give a saga of the app whose message is lost."""
    broker.delete("work")
    view = view_of(log)
    view.forget_workers()
    profiles = view.profiles_key, f"{view.profiles_key}:beaten"
    view.client.delete(*profiles)  # of other tests' workers
    log.starts.start_saga(
        saga_id, job_saga.itinerary, canonical_json({"job_id": saga_id, "amount": 1})
    )
    engine_saga.let_wait(log, saga_id)
    yield saga_id
    for each in ("", "-asked", "-parent", "-parent.shared_child", "-told", "-told.shared_child"):
        view.client.zrem(view.due_key_of(saga_id + each), saga_id + each)
    view.client.delete(*profiles)
    broker.delete("work")


def publishes(app, saga_id):
    """Tell whether a sweep of an app publishes a saga into that app's queue."""
    with app.connection_for_read() as connection:
        client = connection.default_channel.client
        client.delete("work")
        Sweep(app, may_judge=lambda: False).heal(saga_id)
        return client.llen("work") > 0


def beats(app, log):
    log.profiles.keep(Profile(app=identity_of(app)))


def test_o24f_a_sweep_leaves_a_saga_alone_that_another_app_started(app, log, lost, others_broker):
    assert not publishes(app_like(app, knows=False, broker_url=others_broker), lost)
    assert log.read_saga(lost).dispatches == 1


def test_a_worker_of_the_same_app_carries_on_what_it_does_not_import(app, lost):
    assert publishes(app_like(app, knows=False), lost)


@pytest.mark.parametrize("alive", [True, False])
def test_one_that_knows_the_task_carries_it_on_unless_workers_of_the_starting_app_live(
    app, log, lost, others_broker, alive
):
    if alive:
        beats(app, log)
    assert publishes(app_like(app, broker_url=others_broker), lost) is not alive


def test_a_wait_needs_no_task_that_anybody_knows(app, log, lost, others_broker):
    saga_id, order = f"{lost}-asked", Order(job_id=lost).model_dump(mode="json")
    log.starts.start_saga(saga_id, ASKED.itinerary, canonical_json(order))
    engine_saga.let_wait(log, saga_id)
    Sweep(app_like(app, broker_url=others_broker), may_judge=lambda: False).heal(saga_id)
    assert log.read_saga(saga_id).records["approval"].state == "waiting"


@pytest.mark.parametrize("knows", [True, False])
def test_a_child_needs_its_definition(app, log, lost, others_broker, monkeypatch, knows):
    saga_id, order = f"{lost}-parent", Order(job_id=lost).model_dump(mode="json")
    if not knows:
        monkeypatch.delitem(STARTS, "shared_child")
    log.starts.start_saga(saga_id, PARENT.itinerary, canonical_json(order))
    engine_saga.let_wait(log, saga_id)
    sweep = Sweep(app_like(app, knows=False, broker_url=others_broker), may_judge=lambda: False)
    sweep.heal(saga_id)
    assert view_of(log).client.exists(view_of(log).saga_key(f"{saga_id}.shared_child")) is int(
        knows
    )


@pytest.mark.parametrize("alive", [True, False])
def test_the_end_of_a_child_is_told_by_the_app_that_started_it_while_that_lives(
    app, log, lost, others_broker, alive
):
    saga_id, child = f"{lost}-told", f"{lost}-told.shared_child"
    for each, of in ((saga_id, PARENT), (child, CHILD)):
        order = Order(job_id=lost).model_dump(mode="json")
        log.starts.start_saga(each, of.itinerary, canonical_json(order))
    engine_saga.let_wait(log, saga_id)
    Sweep(app, may_judge=lambda: False).heal(saga_id)
    log.control.cancel_saga(child, error="{}", actor={})
    if alive:
        beats(app, log)
    Sweep(app_like(app, broker_url=others_broker), may_judge=lambda: False).heal(child)
    assert (log.read_saga(saga_id).records["shared_child"].state == "waiting") is alive


@pytest.mark.parametrize(("alive", "within"), [(True, 0.0), (False, 15.0)])
def test_a_look_of_another_app_puts_off_no_wait_that_is_over(
    app, log, lost, others_broker, alive, within
):
    if alive:
        beats(app, log)
    view, key = view_of(log), view_of(log).saga_key(lost)
    view.client.hset(key, mapping={"sent": 0, "dispatches": 0})  # as in the log while it waits
    view.make_due(lost)
    other = Sweep(app_like(app, knows=False, broker_url=others_broker), may_judge=lambda: True)
    assert other.run_once() == (0 if alive else 1)
    assert view.due_at(lost) <= (redis_now(view.client) + within) * 1000
    assert publishes(app, lost)


def test_a_saga_that_an_earlier_release_started_is_carried_on_by_every_app(
    app, log, lost, others_broker
):
    view_of(log).client.hdel(view_of(log).saga_key(lost), "app")
    assert publishes(app_like(app, knows=False, broker_url=others_broker), lost)


def test_the_owner_of_anothers_step_is_not_judged(app, log, lost, others_broker):
    log.claim_step(lost, "a", token="t", owner="gone:1:m", retries=0)
    saga = view_of(log).saga_key(lost)
    record, attempt, *rest = view_of(log).client.hget(saga, "claim").split("|")
    view_of(log).client.hset(saga, "claim", "|".join([record, attempt, "1", "1", *rest[2:]]))
    Sweep(app_like(app, knows=False, broker_url=others_broker), may_judge=lambda: True).heal(lost)
    assert log.read_saga(lost).records["a"].state == "running"


def test_o24f_two_logs_of_one_redis_have_nothing_in_common(app, log, lost):
    mine = log_of(app_like(app, amends_namespace="mine"))
    mine.starts.start_saga(lost, job_saga.itinerary, '{"job_id":"another"}')  # no conflict
    try:
        assert (log.read_saga(lost).input["job_id"], mine.read_saga(lost).input["job_id"]) == (
            lost,
            "another",
        )
        assert (mine.maintenance.count_live(), len(mine.workers.read_heartbeats())) == (1, 0)
    finally:
        client = view_of(log).client
        client.delete(*client.keys("amends:mine:*"))


def test_a_circuit_breaker_belongs_to_a_namespace_too(app, log):
    breaker, mine = (
        CircuitBreaker("shared-log", failure_on=(OSError,)),
        app_like(app, amends_namespace="mine"),
    )
    with current(mine):
        breaker.force_open(by="ada", why="a test")
        assert breaker.state == "forced_open"
    with current(app):
        assert breaker.state == "closed"
