"""The command line on a saga log in this process."""

import secrets
from collections.abc import Callable, Iterator

import pytest
from celery import Celery, _state
from celery.bin.base import CLIContext
from click.testing import CliRunner, Result
from visit import Moves

from amends.log import SagaLog, log_of
from amends_commands import saga

Run = Callable[..., Result]


@pytest.fixture
def app() -> Iterator[Celery]:
    before = _state._tls.current_app
    app = Celery("shop", broker="memory://")
    app.conf.amends_backend = f"memory://{secrets.token_hex(8)}"
    yield app
    _state._set_current_app(before)


@pytest.fixture
def log(app: Celery) -> SagaLog:
    return log_of(app)


@pytest.fixture
def run(app: Celery) -> Run:
    """Give `run("show", "order-1")`, as ``celery -A shop saga show order-1``; the result has both streams."""

    def run(*arguments: str, color: bool = False, no_color: bool = False) -> Result:
        given = CLIContext(app=app, no_color=no_color, workdir=None)
        return CliRunner().invoke(saga, arguments, obj=given, color=color)

    return run


@pytest.fixture
def moves(log: SagaLog) -> Moves:
    return Moves(log)
