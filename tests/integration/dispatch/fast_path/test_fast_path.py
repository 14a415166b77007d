"""The fast path is never a condition: where a name is missing, or anything in it raises, sagas go on without it."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import redis
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from kombu import Producer
from kombu.exceptions import NotBoundError

from amends import CircuitBreaker
from amends.backend.celery_apps import current
from amends.backend.connection import KeptConnections, asker
from amends.backend.fast_path import SHORTCUTS, Shortcut, shortcuts_off
from amends.breaker.connection import ClientConnections, ReportingConnections
from amends.dispatch import fast_path
from amends.dispatch.fast_path.chain_template import ChainTemplate
from amends.dispatch.fast_path.channel_client import keep_client
from amends.log.queries.listing import summary_of
from amends.worker.unacked import hold_in_memory
from tests.support.engine_saga import Job, job_saga

pytestmark = pytest.mark.fast_path


@pytest.fixture(autouse=True)
def anew(caplog):
    """Look for what is missing anew, and leave all shortcuts as they were."""
    for each in SHORTCUTS:
        each.look_anew()
    with caplog.at_level(logging.WARNING, logger="amends.backend.fast_path"):
        yield
    for each in SHORTCUTS:
        each.look_anew()


def lines(caplog):
    return [
        each.getMessage() for each in caplog.records if "the fast path for" in each.getMessage()
    ]


def completes(saga_id):
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    return handle.wait(timeout=60).outcome == "completed"


def fail(*_, **__):
    raise RuntimeError("it is not as it was")


def test_all_names_are_there(work):
    assert shortcuts_off() == {}


def test_a_name_that_is_missing_is_told_once(caplog):
    class Library:
        here = True

    shortcut = Shortcut(
        "tests", instead="another way", needs=lambda: [(Library, "here"), (Library, "gone")]
    )
    try:
        assert not shortcut.is_on
        assert not shortcut.is_on
        (line,) = lines(caplog)
        assert "for tests is off, another way instead: there is no" in line
        assert line.endswith("Library.gone")
    finally:
        SHORTCUTS.remove(shortcut)


def test_a_module_that_is_elsewhere_is_missing():
    def needs():
        raise ModuleNotFoundError("No module named 'celery.elsewhere'")

    shortcut = Shortcut("tests", instead="another way", needs=needs)
    SHORTCUTS.remove(shortcut)
    assert not shortcut.is_on
    assert "celery.elsewhere" in shortcut.why_off


@pytest.mark.parametrize(
    ("place", "name", "shortcut"),
    [
        (fast_path, "_may_prepare", "messages"),
        (ChainTemplate, "__init__", "messages"),
        (ChainTemplate, "written", "messages"),
        (KeptConnections, "_ask", "requests to the saga log"),
    ],
)
def test_what_raises_in_it_is_gone_round(  # noqa: PLR0917 - fixtures, and one case
    work, saga_id, caplog, monkeypatch, place, name, shortcut
):
    fast_path._template.cache_clear()
    monkeypatch.setattr(place, name, fail)
    assert completes(saga_id)
    assert completes(saga_id[::-1])
    (line,) = lines(caplog)
    assert line.startswith(f"the fast path for {shortcut} is off")
    assert line.endswith("it raised RuntimeError: it is not as it was")


def test_an_error_of_kombus_that_is_no_outage_is_gone_round(work, saga_id, monkeypatch):
    def publish(*_, **__):
        raise NotBoundError("a queue is not as it was")

    monkeypatch.setattr(ChainTemplate, "written", publish)
    assert completes(saga_id)
    assert "messages" in shortcuts_off()


@pytest.mark.parametrize("shortcut", SHORTCUTS, ids=lambda each: each.name)
def test_what_is_missing_is_gone_without(work, app, saga_id, caplog, monkeypatch, shortcut):
    monkeypatch.setattr(shortcut, "needs", lambda: [(Celery, "gone")])
    with app.connection_for_read() as connection:
        keep_client(connection.default_channel)
        hold_in_memory(connection.default_channel, app.tasks)
    with CircuitBreaker(f"fast-path-{saga_id}", failure_on=(OSError,)):
        assert completes(saga_id)
    assert list(shortcuts_off()) == [shortcut.name]
    (line,) = lines(caplog)
    assert line.endswith("there is no celery.app.base.Celery.gone")


class StruckError(Exception):
    """An error of a user's: a signal handler raises it, or a greenlet's timeout."""


def strike(*_, **__):
    raise StruckError


def test_what_strikes_in_a_request_is_passed_on(monkeypatch):
    monkeypatch.setattr(KeptConnections, "_ask", strike)
    with pytest.raises(StruckError):
        asker(redis.Redis())("PING")
    assert shortcuts_off() == {}


def test_what_strikes_in_a_breaker_is_passed_on(app, saga_id, monkeypatch):
    monkeypatch.setattr(ReportingConnections, "_exchange", strike)
    with pytest.raises(StruckError):
        CircuitBreaker(f"struck-{saga_id}", failure_on=(OSError,)).acquire()
    assert shortcuts_off() == {}


def test_a_soft_limit_that_strikes_as_names_are_looked_for_is_passed_on():
    def needs():
        raise SoftTimeLimitExceeded

    shortcut = Shortcut("tests", instead="another way", needs=needs)
    SHORTCUTS.remove(shortcut)
    with pytest.raises(SoftTimeLimitExceeded):
        shortcut.is_on  # noqa: B018
    shortcut.needs = lambda: ()
    assert shortcut.is_on


def test_a_channel_that_is_not_as_it_was_keeps_no_client(app, caplog):
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        del channel.Client
        keep_client(channel)
    (line,) = lines(caplog)
    assert "for clients of kombu's channels is off" in line


def test_threads_that_ask_first_at_once_share_connections(monkeypatch):
    both = threading.Barrier(2, timeout=30)

    class Late(KeptConnections):
        def __init__(self, client):
            super().__init__(client)
            both.wait()

    monkeypatch.setattr("amends.backend.connection.KeptConnections", Late)
    client = redis.Redis()
    with ThreadPoolExecutor(2) as pool:
        one, another = pool.map(lambda _: asker(client).__self__, range(2))
    assert one is another


def test_a_broker_behind_a_sentinel_is_not_the_log(app, monkeypatch):
    monkeypatch.setitem(app.conf, "amends_backend", "redis:///1")  # which names no host either
    pool = SimpleNamespace(connection_kwargs={"db": 0})
    channel = SimpleNamespace(global_keyprefix="", pool=pool)
    assert fast_path._databases(app, channel) is None


def test_a_redis_that_is_away_says_nothing_about_it(monkeypatch):
    client = redis.Redis(port=1)
    with pytest.raises(redis.ConnectionError):
        asker(client)("PING")
    assert shortcuts_off() == {}


def test_an_error_of_ours_is_no_broker_that_is_away(work, saga_id, monkeypatch, warnings):
    def publish(*_, **__):
        raise AttributeError("'Job' object has no attribute 'client'")

    with monkeypatch.context() as patched:
        patched.setattr(Producer, "publish", publish)
        handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert "'Job' object has no attribute 'client'" in warnings.text
    assert "the broker" not in warnings.text
    handle.cancel()


def test_it_can_be_switched_off(app, worker, log, saga_id, monkeypatch):
    asked = []
    monkeypatch.setattr(KeptConnections, "ask", lambda *what: asked.append(what))
    monkeypatch.setattr(ChainTemplate, "__init__", fail)
    app.conf.amends_fast_path = False
    try:
        assert completes(saga_id)
        assert summary_of(app, saga_id).id == saga_id
    finally:
        app.conf.amends_fast_path = True
    assert asked == []
    assert shortcuts_off() == {}


def test_a_breaker_goes_by_the_switch_of_each_app(app, saga_id):
    breaker = CircuitBreaker(f"two-{saga_id}", failure_on=(OSError,))
    breaker.acquire()
    other = Celery("other", broker=app.conf.broker_url, set_as_current=False)
    other.conf.update(amends_backend=app.conf.amends_backend, amends_fast_path=False)
    with current(other):
        ways = breaker._gate().shared._access._connections
    assert isinstance(ways, ClientConnections)
