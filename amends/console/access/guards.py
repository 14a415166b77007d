"""What stands before every page: headers that bind the browser, and who may knock at all."""

from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

POLICY: Final = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy: styles and pictures of the console alone, no script at all, nothing inline, and no frame around it."""

_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class StrictHeaders:
    """Gives each answer the headers that bind a browser, and lets it store none but static files."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        is_file = "/static/" in scope.get("path", "")

        async def send_bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "max-age=3600" if is_file else "no-store")
            await send(message)

        await self._app(scope, receive, send_bound)


_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LARGEST_BODY: Final = 2 * 1024 * 1024
"""Bytes of a form: twice what an output may have, which it writes with escapes."""


class SameOrigin:
    """Refuses requests that change something and were sent by a page of another site, before CSRF tokens are looked at.

    A cookie with a token can be set by a site beside this one; ``Origin`` and ``Sec-Fetch-Site`` are the browser's alone. Forms
    that are too long are refused too, before anybody reads them.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] in _SAFE:
            await self._app(scope, receive, send)
            return
        if _is_of_another_site(Headers(scope=scope)):
            refusal = PlainTextResponse(
                "This was sent by another site. Nothing was done.", status_code=403
            )
            await refusal(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            refusal = PlainTextResponse("This form is too long. Nothing was done.", status_code=413)
            await refusal(scope, receive, send)
            return
        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_read() -> Message:
            return unread.pop() if unread else await receive()

        await self._app(scope, receive_read, send)


async def _body(receive: Receive) -> bytes | None:
    """Read the body of a request; None for one that is too long, or whose client is gone."""
    body = bytearray()
    while len(body) <= _LARGEST_BODY:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body) if len(body) <= _LARGEST_BODY else None
    return None


def _is_of_another_site(headers: Headers) -> bool:
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


class LoopbackOnly:
    """Refuses what does not come from this machine, for a console that nobody signs in to.

    A name other than this machine's in ``Host`` is refused too (a page of another site that has its name resolved to here), and
    what a proxy passed on, which would let others in.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and not _is_from_here(scope):
            told = "Nobody signs in to this console, so it answers this machine alone: set users or oidc in amends_console."
            await PlainTextResponse(told, status_code=403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_from_here(scope: Message) -> bool:
    headers = Headers(scope=scope)
    client = (scope.get("client") or ("",))[0]
    is_passed_on = any(name == "forwarded" or name.startswith("x-forwarded-") for name in headers)
    host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    return is_loopback(client) and is_loopback(host) and not is_passed_on


def is_loopback(host: str) -> bool:
    """Return whether a host's name or address is this machine's alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
