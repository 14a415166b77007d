"""Commands that only read, by a user of Redis that may only read: they write nothing, and need no more."""

import pytest
import redis
from celery import Celery
from celery.bin.base import CLIContext
from click.testing import CliRunner

from amends import CircuitBreaker
from amends.backend.client import client_of
from amends.backend.rights import acl_line
from amends.log.saga_log import SagaLog
from amends.operations import Query, find_causes, find_sagas
from amends_commands import saga
from tests.support.engine_saga import job_saga
from tests.support.log_view import view_of
from tests.support.sagas.parcel import Parcel, parcel_saga
from tests.support.stuck_sagas import StuckSagas

READING = {
    "stuck": ("stuck",),
    "stuck as json": ("stuck", "--json"),
    "list": ("list",),
    "list by prefix": ("list", "--id", "o-*"),
    "list by error": ("list", "--error", "away"),
    "list by field": ("list", "--where", "customer=ada"),
    "list by fields": ("list", "--where", "customer=ada", "--where", "price=1"),
    "show": ("show", "o-1"),
    "follow": ("show", "o-1", "--follow"),
    "explain": ("explain", "o-1"),
    "explain what waits": ("explain", "p-1"),
    "history": ("history", "o-1"),
    "stats": ("stats",),
    "dry run": ("retry", "--saga", "job", "--dry-run"),
    "breakers": ("breakers",),
    "breaker": ("breaker", "bank"),
    "schedules": ("schedules",),
    "metrics": ("metrics", "--once"),
    "doctor": ("doctor",),
    "doctor after a failover": ("doctor", "--after-failover"),
}
NO_FAULT = {0, 1}


@pytest.fixture(scope="module")
def breaker():
    return CircuitBreaker("bank", failure_on=(OSError,))


@pytest.fixture
def root(each_redis):
    """Give a Redis with a log of stuck sagas, one that waits, and a user that may only read."""
    with redis.Redis.from_url(each_redis.url, decode_responses=True) as root:
        line = acl_line("viewer", "amends:", only_reads=True).replace("PASSWORD", "secret")
        root.execute_command(*line.split())
        writer = Celery("writer", broker="memory://", set_as_current=False)
        writer.conf.amends_backend = f"{each_redis.url}/0"
        writer.set_current()
        log = SagaLog(client_of(f"{each_redis.url}/0"))
        StuckSagas(log, job_saga.itinerary, "a").be_stuck(
            {f"o-{n}": f"Away: no o-{n}" for n in range(3)}
        )
        parcel_saga.start(Parcel(customer="ada", price=1), saga_id="p-1")
        log.workers.note_heartbeat("worker", [1])
        root.hset(
            view_of(log).saga_key("p-1"), "created", 0
        )  # its entries are of a saga that is gone
        root.execute_command("ACL LOG", "RESET")
        yield root
        root.execute_command("ACL DELUSER", "viewer")
        root.flushall()


@pytest.fixture
def app(root, each_redis):
    app = Celery("viewer", broker="memory://", set_as_current=False)
    app.conf.amends_backend = each_redis.url.replace("://", "://viewer:secret@")
    app.set_current()
    yield app
    app.close()


def dump(root):
    return {key: root.dump(key) for key in root.scan_iter()}


@pytest.mark.parametrize("command", READING)
def test_it_works_writes_nothing_and_is_denied_nothing(app, root, breaker, command):
    before = dump(root)
    given = CLIContext(app=app, no_color=True, workdir=None)
    shown = CliRunner().invoke(saga, READING[command], obj=given)
    assert shown.exit_code in NO_FAULT, shown.output
    denied = [each["object"] for each in root.execute_command("ACL LOG")]
    passed_over = {
        "client",
        *(["del"] if command == "doctor" else []),
    }  # it tries what a worker may
    assert {each.partition("|")[0] for each in denied} <= passed_over
    assert dump(root) == before


def test_the_api_works_for_it(app):
    assert find_causes(app).total == 3
    assert len(find_sagas(app, Query(error="no o-2")).summaries) == 1


def test_an_act_by_it_is_refused_and_says_why(app):
    given = CLIContext(app=app, no_color=True, workdir=None)
    shown = CliRunner().invoke(saga, ["retry", "o-1", "--why", "x"], obj=given)
    assert shown.exit_code == 5
    assert "saga doctor --acl USER" in shown.stderr
