"""A TCP proxy in front of the saga log: cuts one worker's connection, and nothing else.

It runs in a thread of the harness, one port per worker. An answer can be lost after the request went through, so
that a script ran and nobody heard of it.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from demo.ports import LOOPBACK

T = TypeVar("T")
CHUNK = 2**16


class Proxy:
    """One listening port on loopback that leads to the port `target`. Its methods are for any thread."""

    def __init__(self, target: int, loop: asyncio.AbstractEventLoop) -> None:
        self.port = 0
        self.requests = 0  # chunks that were forwarded, for tests and the curious
        self.lost = 0  # answers that were lost so far
        self._target = target
        self._loop = loop
        self._refuses = False
        self._mute = False
        self._to_lose = 0
        self._links: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def open(self) -> None:
        """Listen, on a port that the kernel chooses."""
        self._run(self._open())

    def refuse(self) -> None:
        """Cut every connection, and all that come, until `heal`."""
        self._refuses = True
        self.cut()

    def mute(self) -> None:
        """Pass requests on and keep the answers, with the connections open, until `heal`."""
        self._mute = True

    def heal(self) -> None:
        """Pass everything on again. Connections whose answers were kept are cut: they are out of step."""
        if self._mute:
            self.cut()
        self._refuses, self._mute, self._to_lose = False, False, 0

    def lose_answers(self, count: int) -> None:
        """Cut a connection after its request went through, in place of the answer, `count` times."""
        self._to_lose = count

    def cut(self) -> None:
        """Cut every connection; new ones are welcome."""
        self._run(self._cut())

    def close(self) -> None:
        """Stop listening, and cut every connection."""
        self._run(self._close())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        answer: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return answer.result(timeout=10.0)

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        for link in self._links:
            link.cancel()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.ensure_future(self._serve(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)
        with contextlib.suppress(asyncio.CancelledError):
            await link

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        outward: asyncio.StreamWriter | None = None
        try:
            if self._refuses:
                return
            inward, outward = await asyncio.open_connection(LOOPBACK, self._target)
            ways = {
                asyncio.ensure_future(self._ask(reader, outward)),
                asyncio.ensure_future(self._answer(inward, writer)),
            }
            try:
                # When one side is done, so is the other: Redis and its clients never half-close.
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass  # the log itself is away
        finally:
            _abort(writer)
            if outward is not None:
                _abort(outward)

    async def _ask(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await client.read(CHUNK):
            self.requests += 1
            server.write(data)
            await server.drain()

    async def _answer(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while data := await server.read(CHUNK):
            if self._to_lose > 0:
                self._to_lose -= 1
                self.lost += 1
                return
            if self._mute:
                self.lost += 1
                continue
            client.write(data)
            await client.drain()


def _abort(writer: asyncio.StreamWriter) -> None:
    transport = writer.transport
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


@contextlib.contextmanager
def proxies_to(target: int, count: int) -> Iterator[list[Proxy]]:
    """Have `count` open proxies to the port `target` of this machine."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxies", daemon=True)
    thread.start()
    proxies = [Proxy(target, loop) for _ in range(count)]
    try:
        for proxy in proxies:
            proxy.open()
        yield proxies
    finally:
        for proxy in proxies:
            proxy.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
