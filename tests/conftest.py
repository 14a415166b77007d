"""What tests of several kinds share: a real Redis and RabbitMQ of their own, one for each worker of pytest."""

import logging
import os
from collections.abc import Iterator

# Before `tasks` is imported: a saga keeps the retry numbers of the process that started it.
os.environ.setdefault("AMENDS_TIME_SCALE", "0.01")

import pytest
from celery import VERSION
from celery.signals import worker_init
from celery.utils.dispatch import Signal
from kombu.asynchronous import set_event_loop

from amends.backend.fast_path import SHORTCUTS, shortcuts_off
from amends.backend.outage_lines import OUTAGE
from demo.servers import RedisServer
from tests.support import switched_off
from tests.support.redis_servers import AT_HAND, redis_of
from tests.support.servers import own_rabbitmq, shared_redis

if switched_off.IS_OFF:
    switched_off.switch_off()


# First: xdist reads the marks after it, also where a folder is an argument of pytest.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the tests of the fast path where it is switched off, and keep in one process what shares much.

    All of a module with a worker, in the order of the file: the worker lives to its end, and tests before it may need that
    there is none. And what needs RabbitMQ, which takes seconds to start.
    """
    with_worker = {item.path for item in items if "worker" in item.fixturenames}
    for item in items:
        if switched_off.IS_OFF and item.get_closest_marker("fast_path"):
            item.add_marker(pytest.mark.skip("the fast path is switched off"))
        if item.get_closest_marker("xdist_group"):
            continue
        if "rabbitmq" in item.name or "rabbitmq_url" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group("rabbitmq"))
        elif item.path in with_worker:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="module", autouse=True)
def _logs_are_as_before() -> Iterator[None]:
    """Give back the level of all logs, which a worker in this process sets for good."""
    level = logging.root.level
    yield
    logging.root.setLevel(level)


@pytest.fixture(autouse=True)
def _outages_are_told_anew() -> None:
    """Let a test see the line about its outage, whatever the one before it saw."""
    OUTAGE.begin_anew()


@pytest.fixture(autouse=True)
def _no_shortcut_is_lost() -> Iterator[None]:
    """Fail where something raised in the fast path, which nothing else would show: sagas go on without it."""
    yield
    off = shortcuts_off()
    for each in SHORTCUTS:
        if each.why_off:
            each.look_anew()
    assert not off, f"the fast path was left: {off}"


if VERSION < (5, 7):
    clear = Signal._clear_dead_receivers

    def clear_in_place(signal: Signal) -> None:
        """Keep the list of receivers, as Celery does since 5.7: before, who publishes has the one of its start."""
        kept = signal.receivers
        clear(signal)
        kept[:] = signal.receivers
        signal.receivers = kept

    Signal._clear_dead_receivers = clear_in_place


@worker_init.connect
def _have_a_loop_of_its_own(**_: object) -> None:
    """Keep a worker in this process from the event loop of the one before, whose timers are not its own.

    That stays where something fails as it is closed (``Hub._close`` in kombu), and messages with a countdown
    would never be due.
    """
    set_event_loop(None)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a real Redis."""
    with shared_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="module", params=AT_HAND)
def each_redis(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedisServer]:
    """Give a Redis of the module's own, of each kind at hand in turn."""
    with redis_of(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a real RabbitMQ, where one is installed."""
    with own_rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as url:
        yield url
