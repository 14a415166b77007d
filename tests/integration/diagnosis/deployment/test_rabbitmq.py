"""A RabbitMQ as broker, and what it says of itself."""

import pytest
from celery import Celery

from amends.diagnosis.deployment.broker_rules import read_broker_server
from amends.diagnosis.deployment.examination import examine
from amends.dispatch.broker import connected


@pytest.fixture
def app(redis_url, rabbitmq_url):
    app = Celery("examined", broker=rabbitmq_url, set_as_current=False)
    app.conf.update(
        amends_backend=f"{redis_url}/8", task_default_queue="jobs", task_default_queue_type="quorum"
    )
    yield app
    app.close()


def test_its_version_is_read_as_a_client_connects(app):
    with connected(app.connection_for_write()) as connection:
        server = read_broker_server(app, connection)
    assert server.version.split(".")[0] in {"3", "4"}
    assert server.quorum_queue == "jobs"
    assert "guest:guest" not in server.url


def test_what_it_does_with_delayed_messages_is_looked_at(app):
    assert "broker.delayed" in {finding.code for finding in examine(app).findings}
