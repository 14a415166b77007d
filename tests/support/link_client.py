"""A client of `amends.http` without a server, and links that a test makes by hand."""

import asyncio
import time
from typing import Any

import httpx
from celery import Celery

from amends.definition.wait_token import WaitLink
from amends.http import LinkApp, http_app

KEY = "k" * 32
BASE = "https://shop.example/links"


def link_of(**how: Any) -> WaitLink:
    """Make a link, by default to an approval that nobody waits for."""
    given: dict[str, Any] = {
        "saga": "order",
        "saga_id": "order-81",
        "wait": "approval",
        "nonce": "n0",
        "expires_at": int(time.time()) + 3600,
        "by": None,
        "value": {"granted": True},
    }
    return WaitLink(**{**given, **how})


def url_of(**how: Any) -> str:
    """Make the URL of a link."""
    return f"{BASE}/{link_of(**how).token(KEY)}"


class LinkClient:
    """Asks the application of links; ``json=True`` as a program does."""

    def __init__(self, app: Celery | LinkApp | None = None) -> None:
        self.app = app if isinstance(app, LinkApp) else http_app(app)

    def get(self, url: str, **how: Any) -> httpx.Response:
        return self.ask("GET", url, **how)

    def post(self, url: str, **how: Any) -> httpx.Response:
        return self.ask("POST", url, **how)

    def ask(self, method: str, url: str, *, json: bool = False, **how: Any) -> httpx.Response:
        accept = "application/json" if json else "text/html,application/xhtml+xml,*/*;q=0.8"

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.request(method, url, headers={"Accept": accept}, **how)

        return asyncio.run(ask())
