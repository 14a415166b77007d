"""What a FastAPI application needs for its sagas, in one call: `add_sagas`."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

from celery import Celery
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse

from amends.backend.celery_apps import known_app
from amends.backend.outage_lines import OUTAGE
from amends.backend.settings import settings_of
from amends.errors import (
    ActRefused,
    LogUnavailable,
    OutboxUnavailable,
    SagaAlreadyStarted,
    SagaError,
    UnknownSaga,
)

__all__ = ["add_sagas"]

_RETRY_AFTER: Final = 5  # seconds, in which a Redis that fails over is back

_logger = logging.getLogger(__name__)


def add_sagas(api: FastAPI, app: Celery) -> None:
    """Let an application start and follow the sagas of a Celery app.

    api: the application. Its endpoints may let these errors pass. The client gets JSON, ``{"detail": "<a sentence>"}``, which
        says nothing of the installation: 404 for `UnknownSaga`; 409 for `SagaAlreadyStarted` and `ActRefused`; 503 with
        ``Retry-After`` for `LogUnavailable` and `OutboxUnavailable`, which a log line of this module tells the operator. A
        handler of the application's own for one of these takes the place of ours.
    app: the Celery app, which becomes the default one of all threads, since those of ``def`` endpoints have none of their own, and
        the current one of the loop's thread, whatever other app was made there. In a rehearsal it is neither.

    With it the application starts up only if the `amends_*` settings are right: `ConfigurationError` otherwise. Redis is not
    asked for it: a process that starts in an outage serves after it.
    """
    if not _is_rehearsed():
        app.set_default()

    @asynccontextmanager
    async def with_checked_settings(_: FastAPI) -> AsyncIterator[None]:
        settings_of(app)
        if not _is_rehearsed():
            app.set_current()
        yield

    api.include_router(APIRouter(lifespan=with_checked_settings))
    for error, answer in _ANSWERS.items():
        if error not in api.exception_handlers:
            api.add_exception_handler(error, answer)


def _is_rehearsed() -> bool:
    current = known_app()
    return current is not None and getattr(current, "plays_messages", False)


async def _tell_unknown(request: Request, error: Any) -> JSONResponse:
    return _answer(request, error, HTTPStatus.NOT_FOUND, f"there is no saga {error.saga_id!r}")


async def _tell_conflict(request: Request, error: Any) -> JSONResponse:
    return _answer(request, error, HTTPStatus.CONFLICT, str(error))


async def _tell_taken(request: Request, error: Any) -> JSONResponse:
    told = f"{error.saga_id!r} was started before, with another input"
    return _answer(request, error, HTTPStatus.CONFLICT, told)


async def _tell_log_is_away(request: Request, error: Any) -> JSONResponse:
    # The same error without its reason, which names the log's server.
    return _away(
        request, error, str(LogUnavailable("the saga log does not answer", *error.args[1:]))
    )


async def _tell_outbox_is_away(request: Request, error: Any) -> JSONResponse:
    return _away(
        request, error, "the database does not answer, and nothing was done: send the request again"
    )


_ANSWERS: Final[dict[type[SagaError], Callable[[Request, Any], Awaitable[JSONResponse]]]] = {
    UnknownSaga: _tell_unknown,
    SagaAlreadyStarted: _tell_taken,
    ActRefused: _tell_conflict,
    LogUnavailable: _tell_log_is_away,
    OutboxUnavailable: _tell_outbox_is_away,
}


def _away(request: Request, error: SagaError, told: str) -> JSONResponse:
    OUTAGE.warn(_logger, "a request is answered with 503: %s", error)
    answer = _answer(request, error, HTTPStatus.SERVICE_UNAVAILABLE, told)
    answer.headers["Retry-After"] = str(_RETRY_AFTER)
    return answer


def _answer(request: Request, error: SagaError, status: HTTPStatus, told: str) -> JSONResponse:
    if request.scope["type"] != "http":  # a websocket has no status
        raise error
    return JSONResponse({"detail": told}, status_code=status)
