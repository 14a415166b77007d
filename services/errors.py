"""How the services say no: always ``{"error": "Name", "message": "..."}``.

One class, since a refusal is data: a status, a name that programs compare, a sentence for people.
"""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


class ServiceError(Exception):
    """A call was answered with an error and had no effect: its transaction is rolled back."""

    def __init__(self, status: HTTPStatus, name: str, message: str) -> None:
        super().__init__(status, name, message)
        self.status = status
        self.name = name
        self.message = message


def error_response(status: int, name: str, message: str) -> JSONResponse:
    """Build the answer that every error of the services has."""
    return JSONResponse({"error": name, "message": message}, status_code=status)


def internal_error_response() -> JSONResponse:
    """Build the 500 that says nothing of what was done: after it a caller cannot know."""
    return error_response(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "InternalServerError",
        "The service failed; whether it did what was asked is unknown.",
    )


def answer_errors(app: FastAPI) -> None:
    """Make `app` answer its own errors and the framework's in the services' form."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, _internal_error)


def _service_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ServiceError):
        raise error
    return error_response(error.status, error.name, error.message)


def _invalid_request(_request: Request, error: Exception) -> JSONResponse:
    # Undeliverable addresses are 422 too: the name tells them from a malformed request.
    if not isinstance(error, RequestValidationError):
        raise error
    message = "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors()
    )
    return error_response(HTTPStatus.UNPROCESSABLE_ENTITY, "InvalidRequest", message)


def _http_exception(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    name = HTTPStatus(error.status_code).phrase.replace(" ", "")
    response = error_response(error.status_code, name, str(error.detail))
    response.headers.update(error.headers or {})
    return response


def _internal_error(_request: Request, _error: Exception) -> JSONResponse:
    return internal_error_response()
