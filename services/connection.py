"""Cutting a connection without an answer, which no ASGI application can do by itself.

The protocol puts the transport's abort into the request's scope, as an extension under
`EXTENSION`; `cut` calls it.
"""

from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "connection.abort"


class CuttableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, whose requests can cut the connection that they came over."""

    def on_message_begin(self) -> None:
        """Begin a request: called by the parser, before the URL and the headers."""
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"abort": self.transport.abort}}


async def cut(scope: Scope, receive: Receive) -> None:
    """Cut the request's connection: its caller sees it end before the first byte of an answer.

    Raises RuntimeError under a server that does not run `CuttableProtocol`.
    """
    extension = scope.get("extensions", {}).get(EXTENSION)
    if extension is None:
        raise RuntimeError("This server cannot cut connections: run python -m services.")
    extension["abort"]()
    # An application that returned earlier would be taken for broken, and answered for with a 500.
    while (await receive())["type"] != "http.disconnect":
        pass
