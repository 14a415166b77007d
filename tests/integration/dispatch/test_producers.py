"""A broker that hangs: who starts a saga, or carries one on, waits for a few seconds."""

import logging
import socket
import threading
from concurrent.futures import Future

import pytest
from celery import Celery
from redis import Redis

from amends.dispatch.messages import bounded, producers_of, send_advance
from tests.support.engine_saga import Job, job_saga


@pytest.fixture
def silent():
    """Give the address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield "{}:{}".format(*server.getsockname())


def app_of(broker, log):
    """Make an app whose log no other test's worker sweeps: sagas stay in it."""
    with Redis.from_url(log) as client:
        client.flushdb()
    app = Celery("silent", broker=broker, set_as_current=False)
    app.conf.update(amends_backend=log, task_publish_retry_policy={"interval_start": 0.0})
    return app


def returns(act, app):
    """Do something in a thread of its own, where the app is current; answers what it returned."""
    returned = Future()

    def run():
        app.set_current()
        try:
            returned.set_result(act())
        except Exception as error:  # noqa: BLE001 - the caller raises it
            returned.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return returned.result(60)


@pytest.mark.parametrize("transport", ["redis", "amqp"])
@pytest.mark.parametrize("fast_path", [True, False])
def test_a_start_returns_the_handle_with_a_warning(
    redis_url, silent, transport, fast_path, saga_id, caplog
):
    app = app_of(f"{transport}://{silent}//", f"{redis_url}/14")
    app.conf.amends_fast_path = fast_path
    with caplog.at_level(logging.WARNING, logger="amends"):
        handle = returns(lambda: job_saga.start(Job(job_id=saga_id), saga_id=saga_id), app)
    assert handle.id == saga_id
    assert f"saga {saga_id} is in the log and runs once the broker is back" in caplog.text


def test_a_worker_leaves_a_saga_to_its_due_entry(redis_url, silent, saga_id, caplog):
    app = app_of(f"redis://{silent}/0", f"{redis_url}/14")
    with caplog.at_level(logging.WARNING, logger="amends"):
        returns(lambda: send_advance(app, saga_id, 1) or True, app)
    assert f"saga {saga_id} goes on when due: the broker is away" in caplog.text


def test_the_apps_own_connections_are_as_they_were_configured(redis_url):
    app = app_of(f"{redis_url}/4", f"{redis_url}/14")
    with producers_of(app).acquire(block=True) as producer:
        assert producer.connection.transport_options["socket_timeout"] > 0
    assert "socket_timeout" not in app.connection_for_write().transport_options
    with app.producer_or_acquire() as producer:
        assert "socket_timeout" not in producer.connection.transport_options


@pytest.mark.parametrize(("configured", "kept"), [(0.5, 0.5), (60.0, 1.5), (None, 1.5)])
def test_a_shorter_time_limit_of_the_apps_is_kept(redis_url, configured, kept):
    app = app_of(f"{redis_url}/4", f"{redis_url}/14")
    app.conf.broker_transport_options = {"socket_timeout": configured}
    with producers_of(app).acquire(block=True) as producer:
        assert producer.connection.transport_options["socket_timeout"] == kept


def test_a_publication_is_tried_twice_at_most_and_not_again_where_celery_is_told_so(redis_url):
    app = app_of(f"{redis_url}/4", f"{redis_url}/14")
    for configured, tries_again in ((3, 1), (None, 1), (0, 0)):
        app.conf.task_publish_retry_policy = {"max_retries": configured, "interval_max": 7.0}
        with bounded(app) as how:
            assert how["retry_policy"] == {"max_retries": tries_again, "interval_max": 7.0}
