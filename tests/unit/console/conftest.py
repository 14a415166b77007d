"""The console on a saga log in this process."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from celery import Celery
from starlette.testclient import TestClient

from amends.saga.handle import Handle
from tests.support.app import in_process_app
from tests.support.console import users_file, visiting
from tests.unit.cli.errands import ErrandResult, Shop, begin

As = Callable[[str], TestClient]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Celery]:
    with in_process_app("shop") as app:
        app.conf.amends_console = {"users": str(users_file(tmp_path))}
        yield app


@pytest.fixture
def as_role(app: Celery) -> Iterator[As]:
    """Give `as_role("viewer")`: a client that is signed in."""
    with ExitStack() as exits:

        def enter(role: str) -> TestClient:
            visit: AbstractContextManager[TestClient] = visiting(app, role)
            return exits.enter_context(visit)

        yield enter


@pytest.fixture
def stuck(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[Handle[ErrandResult]]]:
    """Give `stuck("e-1", "e-2")`: sagas whose undo failed for good, each by its id."""

    def stand(*ids: str) -> list[Handle[ErrandResult]]:
        app.set_current()
        monkeypatch.setattr(Shop, "takes_back", False)
        app.conf.task_always_eager = True
        handles = [begin(each, address="Nowhere") for each in ids]
        app.conf.task_always_eager = False
        return handles

    return stand


@pytest.fixture
def waiting(app: Celery) -> Callable[..., list[Handle[ErrandResult]]]:
    """Give `waiting("e-1", "e-2")`: sagas whose first message nobody has claimed."""

    def start(*ids: str) -> list[Handle[ErrandResult]]:
        app.set_current()
        return [begin(each) for each in ids]

    return start
