"""Schedules over a log in this process whose clock tests move, and that no other test's worker sees."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, cast
from unittest.mock import patch

import pytest
from celery import Celery

from amends import Schedule
from amends.backend.client import client_of
from amends.definition.states import SagaStatus
from amends.log.saga_log import log_of
from amends.log.schedules.transitions import Schedules
from amends.scheduling import definition
from amends.scheduling.firing import Firing
from amends.testing.clock import Clock, keep_time
from tests.support.app import in_process_app
from tests.support.log_view import view_of


class Killed(BaseException):
    """A worker that ends as if by kill -9."""


class Yard:
    """An app with a saga log, its clock, and sweeps of its workers."""

    def __init__(self, app: Celery, clock: Clock) -> None:
        self.app, self.clock = app, clock
        self.log = log_of(app)
        self.firing = self.worker()

    def worker(self) -> Firing:
        """Start a worker."""
        return Firing(self.app, now=lambda: self.clock.now)

    def sweep(self, seconds: float = 0.0) -> None:
        """Move the clock, and let the worker sweep."""
        self.clock.advance(seconds)
        self.firing.run_once()

    def ids(self, status: SagaStatus = SagaStatus.PENDING) -> list[str]:
        """Return the sagas in a status, in the order of their ids."""
        return sorted(view_of(self.log).read_index([status], ago=-1e9, limit=100_000))

    def end(self, saga_id: str) -> None:
        """Let a saga end."""
        self.log.control.cancel_saga(saga_id, error="{}", actor={})

    @contextmanager
    def killed_at(self, choose: Callable[[str], bool]) -> Iterator[None]:
        """Kill workers where `choose` says so, which is told each boundary: before or after a transition, or a start."""

        def struck(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(function)
            def call(*args: Any, **how: Any) -> Any:
                if choose(f"before {name}"):
                    raise Killed
                answer = function(*args, **how)
                if choose(f"after {name}"):
                    raise Killed
                return answer

            return call

        points = {Schedules: ("decide_tick", "fire_tick", "pass_ticks"), Schedule: ("start",)}
        patches = [
            patch.object(cls, name, struck(name, getattr(cls, name)))
            for cls, names in points.items()
            for name in names
        ]
        for each in patches:
            each.start()
        try:
            yield
        finally:
            for each in patches:
                each.stop()


@pytest.fixture(autouse=True)
def _own_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definition, "KNOWN", {})


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2027, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC).timestamp())


@pytest.fixture
def yard(clock: Clock) -> Iterator[Yard]:
    with in_process_app("yard") as app:
        keep_time(cast("Any", client_of(app.conf.amends_backend)), clock)
        yield Yard(app, clock)


@pytest.fixture
def dice() -> random.Random:
    return random.Random(17)  # noqa: S311
