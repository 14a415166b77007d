"""What the faults do to a request, before and after its service handles it.

Every method of a service is hit, undo and look-up as well. Exempt are the operator's calls: the
stock, the faults, the ledger, the counts of calls and the health, which belong to no service in this sense.
"""

import asyncio
import random
from collections import deque
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.connection import cut
from services.database import Database
from services.errors import error_response, internal_error_response
from services.faults import Faults, read_faults
from services.wire import Service

_PATHS = {
    "/inventory/reservations": Service.INVENTORY,
    "/payments/primary/": Service.PAYMENTS_PRIMARY,
    "/payments/fallback/": Service.PAYMENTS_FALLBACK,
    "/bank/authorizations": Service.BANK_AUTHORIZATIONS,
    "/bank/captures": Service.BANK_CAPTURES,
    "/invoices": Service.INVOICES,
    "/shipping/": Service.SHIPPING,
    "/notifications": Service.NOTIFICATIONS,
    "/external/": Service.EXTERNAL,
}

_dice = random.SystemRandom()


class FaultInjection:
    """ASGI middleware that lets each request through, or fails it as its service's faults say."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        service = _service_at(scope)
        if service is None:
            await self._app(scope, receive, send)
            return
        scope["app"].state.calls.count(service, scope["method"])
        faults = await run_in_threadpool(_current, scope["app"].state.database, service)
        if faults.down:
            await _answer_down(service)(scope, receive, send)
            return
        if faults.latency:
            receive = await _read_ahead(receive)
            await asyncio.sleep(faults.latency)
        await self._handle(faults, scope, receive, send)

    async def _handle(self, faults: Faults, scope: Scope, receive: Receive, send: Send) -> None:
        if _strikes(faults.error_rate):
            if _strikes(0.5):
                await self._app(scope, receive, _discard)
            await internal_error_response()(scope, receive, send)
        elif _strikes(_lost_reply_rate(faults, scope["method"])):
            # The answer is written to nobody, so that not even a part of it is on the wire;
            # by then the service has committed.
            await self._app(scope, receive, _discard)
            await cut(scope, receive)
        else:
            await self._app(scope, receive, send)


def _service_at(scope: Scope) -> Service | None:
    if scope["type"] != "http":
        return None
    path: str = scope["path"]
    return next((service for start, service in _PATHS.items() if path.startswith(start)), None)


def _current(database: Database, service: Service) -> Faults:
    with database.read() as connection:
        return read_faults(connection, service)


def _strikes(rate: float) -> bool:
    return _dice.random() < rate


def _lost_reply_rate(faults: Faults, method: str) -> float:
    return {"POST": faults.lost_reply_rate, "DELETE": faults.lost_undo_reply_rate}.get(method, 0.0)


def _answer_down(service: Service) -> ASGIApp:
    return error_response(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "ServiceUnavailable",
        f"{service} is down; nothing was done.",
    )


async def _read_ahead(receive: Receive) -> Receive:
    """Read the body now, so that a caller who gives up during the latency has still asked.

    The effect is then made behind the caller's back, as a slow service would.
    """
    messages = deque([await receive()])
    while messages[-1].get("more_body"):
        messages.append(await receive())

    async def replay() -> Message:
        return messages.popleft() if messages else await receive()

    return replay


async def _discard(_message: Message) -> None:
    """Take the place of `send`."""
