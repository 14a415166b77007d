"""Nothing of redis-py's or the standard library's errors reaches a caller, whatever Redis refuses."""

import time
import uuid
from contextlib import contextmanager

import pytest
import redis
from celery import Celery
from celery.bin.base import CLIContext
from click.testing import CliRunner

import amends
from amends import CircuitBreaker, SagaError
from amends.breaker import redis_access
from amends.cli.exit_codes import Exit
from amends_commands import saga
from demo.ports import free_port
from tests.support.redis_servers import AT_HAND
from tests.support.refusals import REFUSALS
from tests.support.sagas.trip import Trip, trip_saga

COMMANDS = [
    *("stuck", "list", "stats", "breakers", "metrics --once"),
    *(f"{name} one" for name in ("show", "explain", "history")),
    *(f"{name} one --yes --why so" for name in ("retry", "cancel", "pause", "resume")),
    *("skip one check_traveller --yes --why so", "breaker payments", "breaker payments open"),
]
payments = CircuitBreaker("payments", failure_on=(OSError,))


@pytest.fixture
def app():
    app = Celery("shop", broker="memory://", set_as_current=False)
    app.set_current()
    app.set_default()
    yield app
    app.close()


@pytest.fixture
def client(each_redis):
    with redis.Redis.from_url(each_redis.url, decode_responses=True) as client:
        yield client
        client.flushall()


@pytest.fixture(autouse=True)
def _without_rests(monkeypatch):
    """Let nothing rest before it asks again, and each call meet its own error."""
    monkeypatch.setattr(redis_access, "_FIRST_REST", 0.0)
    monkeypatch.setattr("redis.retry.sleep", lambda _: None)
    monkeypatch.setattr("amends.log.repetition._PAUSE", 0.0)


def entries():
    """Yield what a caller may call, each with its name."""
    trip, handle = Trip(trip_id="t"), amends.Handle("one", dict)
    yield "start", lambda: trip_saga.start(trip, saga_id=uuid.uuid4().hex)
    yield "start_many", lambda: trip_saga.start_many([trip] * 3)
    yield "Saga.get", lambda: trip_saga.get("one")
    yield "amends.get", lambda: amends.get("one")
    yield "status", lambda: handle.status
    yield "outcome", lambda: handle.outcome
    yield "wait", lambda: handle.wait(timeout=0.0)
    for name in ("snapshot", "history", "pause", "resume", "retry", "cancel"):
        yield name, getattr(handle, name)
    yield "skip", lambda: handle.skip("check_traveller")
    yield "breaker.state", lambda: payments.state
    yield "breaker.call", lambda: payments.call(time.monotonic)
    for name in ("snapshot", "history", "force_open", "disable", "clear_override", "reset"):
        yield f"breaker.{name}", getattr(payments, name)
    yield "breaker.report_killed", lambda: payments.report_killed("t", ran_for=1.0, why="")


def foreign(app):
    """Return what goes past the errors of the library, and how many calls failed at all."""
    found, failed = [], 0
    for name, call in entries():
        try:
            call()
        except (SagaError, TimeoutError):
            failed += 1
        except Exception as error:  # noqa: BLE001 - that is the question
            found.append((name, repr(error)))
    for command in COMMANDS:
        given = CLIContext(app=app, no_color=True, workdir=None)
        ended = CliRunner().invoke(saga, command.split(), obj=given)
        failed += ended.exit_code != Exit.OK
        if ended.exit_code == Exit.BUG or "Traceback" in ended.stderr:
            found.append((command, ended.stderr))
    return found, failed


@contextmanager
def other_data(client):
    keys = client.keys("amends*")
    client.flushall()
    client.mset(dict.fromkeys(keys, "of somebody else"))
    yield


@pytest.mark.parametrize("how", [*REFUSALS, "WRONGTYPE"])
def test_whatever_redis_refuses_is_an_error_of_the_library(app, each_redis, client, how):
    app.conf.amends_backend = f"{each_redis.url}/0"
    trip_saga.start(Trip(trip_id="t"), saga_id="one")
    payments.force_open()
    payments.reset()
    with {**REFUSALS, "WRONGTYPE": other_data}[how](client):
        found, failed = foreign(app)
    assert found == []
    assert failed > 5


@pytest.mark.parametrize(
    "backend",
    [
        "redis://nobody:wrong@127.0.0.1:{port}/0",
        "redis://127.0.0.1:{port}/99",
        "redis://127.0.0.1:{closed}/0",
        "unix:///no/such.sock",
        "redis://127.0.0.1:port/0",
        "sentinel://127.0.0.1:26379",
        "nonsense",
    ],
)
@pytest.mark.parametrize("each_redis", [next(iter(AT_HAND))], indirect=True)
def test_so_is_a_backend_that_leads_nowhere(app, each_redis, backend):
    app.conf.amends_backend = backend.format(port=each_redis.port, closed=free_port())
    found, failed = foreign(app)
    assert found == []
    assert failed > 20
