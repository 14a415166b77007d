"""A log that is reached by a socket in the file system, however its URL is spelled."""

import subprocess
import uuid

import pytest
from celery import Celery

from amends import CircuitBreaker
from amends.log.saga_log import log_of
from amends.log.starts import Started
from demo.ports import free_port
from demo.servers import redis_command
from tests.support.eventually import eventually
from tests.support.log_view import view_of
from tests.support.sagas.trip import trip_saga


@pytest.fixture(scope="module")
def socket(tmp_path_factory):
    directory = tmp_path_factory.mktemp("s")
    path = directory / "redis.sock"
    command = [*redis_command(free_port(), directory), "--unixsocket", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    eventually(path.exists)
    yield path
    process.kill()
    process.wait()


@pytest.mark.parametrize("url", ["unix://{}?db=3", "redis+socket://{}?virtual_host=3"])
def test_a_socket_leads_to_the_log(socket, url):
    app = Celery("shop", broker="memory://", set_as_current=False)
    app.conf.amends_backend = url.format(socket)
    app.set_current()
    log = log_of(app)
    saga_id = uuid.uuid4().hex
    assert log.starts.start_saga(saga_id, trip_saga.itinerary, "{}") == Started(1)
    assert log.read_status(saga_id) == "pending"
    assert CircuitBreaker(saga_id, failure_on=(OSError,)).state == "closed"
    assert view_of(log).client.connection_pool.connection_kwargs["db"] == 3
