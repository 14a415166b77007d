"""The command line on a saga log in this process."""

from collections.abc import Callable, Iterator

import pytest
from celery import Celery
from celery.bin.base import CLIContext
from click.testing import CliRunner, Result

from amends.log.saga_log import SagaLog, log_of
from amends.saga.handle import Handle
from amends_commands import saga
from tests.support.app import in_process_app
from tests.unit.cli.errands import ErrandResult, Shop, begin
from tests.unit.cli.visit import Moves

Run = Callable[..., Result]


@pytest.fixture
def app() -> Iterator[Celery]:
    with in_process_app("shop") as app:
        yield app


@pytest.fixture
def log(app: Celery) -> SagaLog:
    return log_of(app)


@pytest.fixture
def run(app: Celery) -> Run:
    """Give `run("show", "order-1")`, as ``celery -A shop saga show order-1``; the result has both streams."""

    def run(
        *arguments: str,
        color: bool = False,
        no_color: bool = False,
        input: str | None = None,  # noqa: A002 - click's word
    ) -> Result:
        given = CLIContext(app=app, no_color=no_color, workdir=None)
        return CliRunner().invoke(saga, arguments, obj=given, color=color, input=input)

    return run


@pytest.fixture
def moves(log: SagaLog) -> Moves:
    return Moves(log)


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
        assert {handle.status for handle in handles} == {"stuck"}
        return handles

    return stand


@pytest.fixture
def waiting(app: Celery) -> Callable[..., list[Handle[ErrandResult]]]:
    """Give `waiting("e-1", "e-2")`: sagas whose first message nobody has claimed."""

    def start(*ids: str) -> list[Handle[ErrandResult]]:
        app.set_current()
        return [begin(each) for each in ids]

    return start


@pytest.fixture
def at_work(log: SagaLog) -> None:
    """Let a worker be alive."""
    log.workers.note_heartbeat("worker", [1], node="worker@host")


@pytest.fixture
def someone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a person be there, who answers what is asked."""
    for module in ("targets", "attribution"):
        monkeypatch.setattr(f"amends.cli.{module}.can_be_asked", lambda: True)
