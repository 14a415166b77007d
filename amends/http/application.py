"""An ASGI application that answers the links of waits."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Final

from celery import Celery
from celery.app import app_or_default
from pydantic import RootModel

from amends.backend.celery_apps import current
from amends.backend.http_settings import no_key
from amends.backend.settings import settings_of
from amends.definition.serialization import canonical_json, why_invalid
from amends.definition.signal_models import known_models
from amends.definition.wait_token import WaitLink
from amends.errors import ActRefused, LogUnavailable, UnknownSaga
from amends.http import answers
from amends.http.answers import Answer
from amends.http.page import POLICY, html_of
from amends.log.history import printable
from amends.saga.handle import Handle

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}
_THREADS: Final = 8  # its own: a log that is away holds none of the application's

_logger = logging.getLogger(__name__)


class _AsSigned(RootModel[Any]):
    """A signal whose model this process does not have; the activity that made the link held it to that."""


class LinkApp:
    """The ASGI application of links, see `http_app`."""

    def __init__(self, app: Celery, keys: tuple[str, ...]) -> None:
        self._app = app
        self._keys = keys
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="amends-http")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one connection. Raises ``ValueError`` for a kind of scope that ASGI does not define for HTTP."""
        match scope["type"]:
            case "http":
                await _send(scope, await self._answer(scope, receive), send)
            case "lifespan":
                await _live(receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1000})  # before it is accepted: 403
            case other:
                raise ValueError(f"amends.http answers HTTP, and no scope of type {other!r}")

    async def _answer(self, scope: Message, receive: Receive) -> Answer:
        if scope["method"] not in answers.ALLOWED:
            return answers.WRONG_METHOD
        # The last part alone: what stands before it differs by the way of mounting, and by proxies.
        link = WaitLink.read(scope["path"].rpartition("/")[2], self._keys)
        if link is None:
            return answers.UNKNOWN
        if link.expires_at <= time.time():
            return answers.EXPIRED
        if scope["method"] != "POST":  # programs that look through mails follow its links
            return answers.question(link)
        if not await _is_empty(receive):
            return answers.UNWANTED_BODY
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, copy_context().run, self._give, link)

    def _give(self, link: WaitLink) -> Answer:
        """Give the signal, in a thread: the saga log is asked without async."""
        model = known_models(link.saga).get(link.wait, _AsSigned)
        handle = Handle(link.saga_id, dict, signals={link.wait: model})
        level = logging.INFO
        try:
            with current(self._app):
                how = handle.signal(link.wait, link.value, id=link.signal_id, by=link.by)
        except LogUnavailable as error:
            level = logging.WARNING
            answer, said = answers.AWAY, f"not known: {error.reason}"
        except UnknownSaga:
            answer, said = answers.FORGOTTEN, "there is no such saga in the log"
        except ActRefused as error:
            answer, said = answers.refused(error.reason), f"refused: {error.reason}"
        except ValueError as error:
            why = f"it is no {model.__name__} any more: {why_invalid(error)}"
            answer, said = answers.refused("the link is older than what it answers"), why
        else:
            answer, said = answers.signalled(how), how.value
        who = printable(f"a link to {link.wait}, by {link.by}: {said}")
        _logger.log(level, "saga %s: %s", link.saga_id, who)
        return answer


def http_app(app: Celery | None = None) -> LinkApp:
    """Return an ASGI application that answers the links of ``context().wait_url``; mount it at `amends_http_url`.

    GET and HEAD show what the link will do, and do nothing; POST gives the saga the signal, once. Programs get JSON for
    ``Accept: application/json``. Answers are 200; 404 for what is no link of ours; 409 if the saga refuses the signal; 410 if
    the link has expired or its saga is no longer kept; 503 while the saga log is away; 400 for a body, 405 for other methods.

    app: the Celery app whose sagas they are; by default the current one.

    Raises `ConfigurationError` for settings that are wrong, and without `amends_http_key`.
    """
    celery = app_or_default(app)
    keys = settings_of(celery).http_key
    if keys is None:
        raise no_key()
    return LinkApp(celery, keys)


async def _is_empty(receive: Receive) -> bool:
    """Read a request up to the first byte of its body. Returns whether there is none, and the client still there."""
    while True:
        message = await receive()
        if message["type"] != "http.request" or message.get("body"):
            return False
        if not message.get("more_body"):
            return True


async def _send(scope: Message, answer: Answer, send: Send) -> None:
    accepts = b",".join(value for name, value in scope["headers"] if name.lower() == b"accept")
    if b"application/json" in accepts and b"text/html" not in accepts:
        kind, text = "application/json", canonical_json(dict(answer.json_data))
    else:
        kind, text = "text/html; charset=utf-8", html_of(answer)
    body = text.encode()
    headers = {
        **_HEADERS,
        **answer.headers,
        "Content-Type": kind,
        "Content-Length": str(len(body)),
    }
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": int(answer.status), "headers": pairs})
    is_told = scope["method"] != "HEAD"
    await send({"type": "http.response.body", "body": body if is_told else b""})


async def _live(receive: Receive, send: Send) -> None:
    """Tell the server that there is nothing to begin and nothing to end."""
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
