"""Apps for sagas with stages of several branches: on each broker, and on Redis without the fast path."""

import pytest
from celery import Celery, signals

from tests.support.sagas.wide import DISPATCHES


@pytest.fixture(scope="module", params=["redis", "plain", "rabbitmq"])
def each_app(request, redis_url):
    """Give an app of its own, current while the module's tests run with it."""
    broker = f"{redis_url}/2"
    if request.param == "rabbitmq":
        broker = request.getfixturevalue("rabbitmq_url")
    app = Celery("wide", broker=broker)
    app.conf.update(
        amends_backend=f"{redis_url}/3",
        amends_sweep_interval=0.2,
        amends_compensation_queue="undo",
        amends_fast_path=request.param != "plain",
        task_default_queue="work",
        task_queues={name: {"exchange": name, "routing_key": name} for name in ("work", "undo")},
        worker_prefetch_multiplier=1,
    )
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()


@pytest.fixture(params=DISPATCHES)
def dispatch(request):
    return request.param


@pytest.fixture
def published():
    """Return the ids of a saga's messages that were published."""
    ids = []

    def note(headers, **_):
        ids.append(headers["id"])

    signals.before_task_publish.connect(note, weak=False)
    yield lambda saga_id: [each.removeprefix(saga_id) for each in ids if each.startswith(saga_id)]
    signals.before_task_publish.disconnect(note)
