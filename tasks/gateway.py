"""How activities call the services: one kept connection pool a process, and what answers mean.

A refused connection and 503 are `NotDone`; a refusal that the caller names, and 410, are `Refused`;
anything else leaves it unknown whether the service did something. Each failure begins with the method, host and path of its
call, but a refusal, which is in the service's words.
"""

import logging
import os
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import httpx
from celery import current_app

from amends import NotDone, Refused, context

SERVICES_URL: Final = os.environ.get("SERVICES_URL", "http://127.0.0.1:8080")

logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each call is too many

_LONGEST: Final = 10.0
_LONGEST_REST: Final = 3600.0
_MARGIN: Final = 1.0
_MOST_REDIRECTS: Final = 5


class ServerError(Exception):
    """A service failed, and nobody knows what it did before."""


class UnexpectedAnswer(Exception):  # noqa: N818 - the name says what happened
    """A service answered what its contract does not know."""


class Withdrawn(Refused):
    """A call was taken back before it came: its effect will never happen."""


class HostNotAllowed(Refused):
    """A call would have left for a host that ``external_hosts`` does not name."""


FAILURES: Final = (NotDone, ServerError, httpx.TransportError, TimeoutError)
"""The errors that say that a service is down, or as good as: what opens a circuit."""


def post(
    path: str, body: Mapping[str, Any], *, refusals: tuple[type[Refused], ...] = ()
) -> dict[str, Any]:
    """Ask a service for an effect, under the running activity's idempotency key.

    Raises the class in `refusals` that is named like the service's ``error``.
    """
    headers = {"Idempotency-Key": context().idempotency_key}
    return _answer("POST", path, refusals, json=body, headers=headers)


def get(path: str, **query: str) -> dict[str, Any]:
    """Ask a service what it knows."""
    return _answer("GET", path, (), params=query)


def delete(path: str, key: str) -> None:
    """Take back the effect that was made under this key, if there was one."""
    _answer("DELETE", f"{path}/{quote(key, safe='')}", ())


def post_outside(url: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Call a service of somebody else's, where Celery's setting ``external_hosts`` names its host.

    Raises `HostNotAllowed` before any connection to another one, be it by a redirect.
    """
    _check_host(httpx.URL(url))
    headers = {"Idempotency-Key": context().idempotency_key}
    request = _client(os.getpid()).build_request(
        "POST", url, json=body, headers=headers, timeout=_timeout()
    )
    for _ in range(_MOST_REDIRECTS + 1):
        response = _sent(request)
        if response.next_request is None:
            return _understood(response, ())
        request = response.next_request
        _check_host(request.url)
    raise UnexpectedAnswer(f"POST {url}: more than {_MOST_REDIRECTS} redirects")


def _check_host(url: httpx.URL) -> None:
    """Hold a URL to the list, which has hosts as ``name``, any port, or ``name:port``."""
    allowed = current_app.conf.get("external_hosts") or ()
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    if url.scheme not in ("http", "https") or not {url.host, f"{url.host}:{port}"} & set(allowed):
        raise HostNotAllowed(
            f"{url.scheme}://{url.host}:{port} is not called: external_hosts in Celery's configuration"
            f" (EXTERNAL_HOSTS) names {', '.join(allowed) or 'no host'}"
        )


def _answer(
    method: str, path: str, refusals: tuple[type[Refused], ...], **options: Any
) -> dict[str, Any]:
    request = _client(os.getpid()).build_request(method, path, timeout=_timeout(), **options)
    return _understood(_sent(request), refusals)


def _timeout() -> httpx.Timeout:
    left = context().deadline - time.time() - _MARGIN
    return httpx.Timeout(max(0.5, min(_LONGEST, left)), connect=2.0)


def _sent(request: httpx.Request) -> httpx.Response:
    try:
        return _client(os.getpid()).send(request)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise NotDone(f"{_call(request)}: {_said(error)}") from error
    except httpx.TransportError as error:
        raise type(error)(f"{_call(request)}: {_said(error)}", request=request) from error


def _call(request: httpx.Request) -> str:
    """Name a call: ``POST payments:8080/payments/charges``. Its query may hold values."""
    return f"{request.method} {request.url.netloc.decode()}{request.url.path}"


def _said(error: httpx.TransportError) -> str:
    """Return what an error says, which of a time-out may be nothing."""
    return str(error).rstrip(".") or type(error).__name__


def _understood(response: httpx.Response, refusals: tuple[type[Refused], ...]) -> dict[str, Any]:
    if response.is_success:
        return _body(response)
    raise _failure(response, refusals)


def _failure(response: httpx.Response, refusals: tuple[type[Refused], ...]) -> Exception:
    status = response.status_code
    said = f"{_call(response.request)}: {status} {response.text[:200]}"
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
        raise UnexpectedAnswer(f"{_call(response.request)}: no JSON object: {response.text[:200]}")
    return body


def _seconds(text: str) -> float:
    """Read a Retry-After header: seconds, or the date of an HTTP message. Nonsense is 0, and an hour is the longest."""
    try:
        asked = (
            float(text)
            if text.isdecimal()
            else parsedate_to_datetime(text).timestamp() - time.time()
        )
    except (ValueError, OverflowError):
        return 0.0
    return min(max(asked, 0.0), _LONGEST_REST)


@lru_cache
def _client(pid: int) -> httpx.Client:  # noqa: ARG001 - a forked child gets its own
    return httpx.Client(base_url=SERVICES_URL)
