"""`amends.fastapi.add_sagas`: what clients are told of errors, and what an application needs to start up."""

import logging
from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from celery import Celery, _state, current_app
from fastapi import Depends, FastAPI, WebSocket
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient

from amends import (
    ActRefused,
    ConfigurationError,
    Handle,
    LogUnavailable,
    OutboxUnavailable,
    SagaAlreadyStarted,
    SagaError,
    UnknownSaga,
)
from amends.fastapi import add_sagas
from amends.testing import Rehearsal
from tests.support.engine_saga import Job, job_saga

INTERNAL = "Error 111 connecting to redis.internal:6379"


@pytest.fixture
def default_app():
    """Give back what is Celery's default app."""
    before = _state.default_app
    yield
    _state.set_default_app(before)


@pytest.fixture
def api(default_app):
    return FastAPI()


@pytest.fixture
def app():
    return Celery("shop", set_as_current=False, broker="memory://")


def failing(api, error):
    """Give the answer to a request whose endpoint raises an error."""

    @api.get("/fails")
    async def fail():
        raise error

    return TestClient(api).get("/fails")


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (UnknownSaga("order-1"), 404, "there is no saga 'order-1'"),
        (
            SagaAlreadyStarted("order-1", "order"),
            409,
            "'order-1' was started before, with another input",
        ),
        (
            ActRefused("order-1", "signal", "it waits for no approval"),
            409,
            "cannot signal saga 'order-1': it waits for no approval",
        ),
        (LogUnavailable(INTERNAL), 503, "the saga log does not answer"),
        (
            LogUnavailable(INTERNAL, "order-1"),
            503,
            (
                "the saga log does not answer; saga 'order-1' may have been started:"
                " repeat the start with this saga_id, and it is started once"
            ),
        ),
        (
            LogUnavailable(INTERNAL, "order-1", "act-7"),
            503,
            (
                "the saga log does not answer; the act on saga 'order-1' may be in the log:"
                " repeat it with the act id act-7, and it is done once"
            ),
        ),
        (
            OutboxUnavailable(INTERNAL),
            503,
            "the database does not answer, and nothing was done: send the request again",
        ),
    ],
)
def test_a_client_is_told_what_is_wrong_and_nothing_of_the_installation(
    api, app, error, status, detail
):
    add_sagas(api, app)
    answer = failing(api, error)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})
    assert ("retry-after" in answer.headers) == (status == 503)


def test_coroutines_have_the_app_though_another_is_made_in_the_loops_thread(default_app, app):
    @asynccontextmanager
    async def of_application(_):
        Celery("billing", broker="memory://")  # becomes the current one of this thread
        yield

    api = FastAPI(lifespan=of_application)
    app.conf.amends_backend = "memory://"
    add_sagas(api, app)

    @api.get("/app")
    async def tell():
        return current_app.main

    with TestClient(api) as client:
        assert client.get("/app").json() == "shop"


def test_a_rehearsal_is_not_left_by_an_application_that_is_made_in_it(api, app):
    with Rehearsal():
        add_sagas(api, app)
        assert current_app.main == "rehearsal"
        assert _state.default_app.main == "rehearsal"


def test_the_operator_is_told_why_a_client_has_to_come_again(api, app, caplog):
    add_sagas(api, app)
    failing(api, LogUnavailable(INTERNAL))
    assert [
        (each.levelno, INTERNAL in each.getMessage())
        for each in caplog.records
        if each.name == "amends.fastapi"
    ] == [(logging.WARNING, True)]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_handler_of_the_applications_own_counts(api, app, is_first):
    def add_own():
        @api.exception_handler(UnknownSaga)
        async def tell(request, error):
            return PlainTextResponse("nothing here", status_code=410)

    if is_first:
        add_own()
    add_sagas(api, app)
    if not is_first:
        add_own()
    assert failing(api, UnknownSaga("order-1")).text == "nothing here"


def test_other_errors_are_the_applications_bugs(api, app):
    add_sagas(api, app)
    with pytest.raises(SagaError, match="a bug"):
        failing(api, SagaError("a bug"))


def test_an_error_in_a_websocket_is_raised(api, app):
    add_sagas(api, app)

    @api.websocket("/ws")
    async def talk(socket: WebSocket):
        await socket.accept()
        raise UnknownSaga("order-1")

    with pytest.raises(UnknownSaga), TestClient(api).websocket_connect("/ws") as socket:
        socket.receive_text()


def test_an_application_with_wrong_settings_does_not_start_up(app, default_app):
    began = []

    @asynccontextmanager
    async def own(api):
        began.append("own")
        yield

    api = FastAPI(lifespan=own)
    add_sagas(api, app)
    app.conf.amends_backend = "redis://127.0.0.1:1/0"  # nobody is there, and nobody is asked
    with TestClient(api):
        assert began == ["own"]
    app.conf.amends_retentoin = 3.0
    with pytest.raises(ConfigurationError, match="did you mean"), TestClient(api):
        pass


def test_an_endpoint_in_a_thread_has_the_app(api, app):
    @api.get("/app")
    def name() -> str:
        return current_app.main

    add_sagas(api, app)
    assert TestClient(api).get("/app").json() == "shop"


def test_the_endpoints_of_a_test_client_are_rehearsed(api, app):
    @api.post("/jobs")
    def start(job: Job) -> str:
        return job_saga.start(job, saga_id=job.job_id).id

    @api.get("/jobs/{saga_id}")
    async def look(handle: Annotated[Handle, Depends(job_saga.get_async)]):
        return await handle.snapshot_async()

    add_sagas(api, app)
    with Rehearsal() as rehearsal:
        client = TestClient(api)
        assert client.get("/jobs/job-1").status_code == 404
        assert client.post("/jobs", json={"job_id": "job-1"}).json() == "job-1"
        assert client.get("/jobs/job-1").json()["status"] == "completed"
    assert rehearsal.done == ["a", "b", "c"]
