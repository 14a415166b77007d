"""How activities call the services: one kept connection pool a process, and what answers mean.

A refused connection and 503 are `NotDone`; a refusal that the caller names, and 410, are `Refused`;
anything else leaves it unknown whether the service did something.
"""

import logging
import os
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import httpx

from amends import NotDone, Refused, context

SERVICES_URL: Final = os.environ.get("SERVICES_URL", "http://127.0.0.1:8080")

logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each call is too many

_LONGEST: Final = 10.0
_MARGIN: Final = 1.0


class ServerError(Exception):
    """A service failed, and nobody knows what it did before."""


class UnexpectedAnswer(Exception):  # noqa: N818 - the name says what happened
    """A service answered what its contract does not know."""


class Withdrawn(Refused):
    """A call was taken back before it came: its effect will never happen."""


def post(
    path: str, body: Mapping[str, Any], *, refusals: tuple[type[Refused], ...] = ()
) -> dict[str, Any]:
    """Ask a service for an effect, under the running activity's idempotency key.

    Raises the class in `refusals` that is named like the service's ``error``.
    """
    headers = {"Idempotency-Key": context().idempotency_key}
    return _answer("POST", path, refusals, json=body, headers=headers)


def delete(path: str, key: str) -> None:
    """Take back the effect that was made under this key, if there was one."""
    _answer("DELETE", f"{path}/{quote(key, safe='')}", ())


def _answer(
    method: str, path: str, refusals: tuple[type[Refused], ...], **options: Any
) -> dict[str, Any]:
    left = context().deadline - time.time() - _MARGIN
    timeout = httpx.Timeout(max(0.5, min(_LONGEST, left)), connect=2.0)
    try:
        response = _client(os.getpid()).request(method, path, timeout=timeout, **options)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise NotDone(f"{method} {path}: {error}") from error
    if response.is_success:
        return _body(response)
    raise _failure(method, path, response, refusals)


def _failure(
    method: str, path: str, response: httpx.Response, refusals: tuple[type[Refused], ...]
) -> Exception:
    status = response.status_code
    said = f"{method} {path}: {status} {response.text[:200]}"
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        return NotDone(said, _seconds(response.headers.get("Retry-After", "")))
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return ServerError(said)
    if status == httpx.codes.GONE:
        return Withdrawn(said)
    body = _body(response)
    names = {refusal.__name__: refusal for refusal in refusals}
    refusal = names.get(body.get("error", ""))
    return refusal(body.get("message", said)) if refusal else UnexpectedAnswer(said)


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json() if response.content else {}
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise UnexpectedAnswer(
            f"{response.request.url.path}: no JSON object: {response.text[:200]}"
        )
    return body


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0


@lru_cache
def _client(pid: int) -> httpx.Client:  # noqa: ARG001 - a forked child gets its own
    return httpx.Client(base_url=SERVICES_URL)
