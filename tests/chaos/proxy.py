"""A TCP proxy in front of the saga log: cuts one worker's connection, and nothing else.

It runs in a thread of the harness, one port per worker. An answer can be lost after its request went through: the
script ran, and its caller does not know.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from demo.ports import LOOPBACK

T = TypeVar("T")
CHUNK = 2**16


class Proxy:
    """One listening port on loopback that leads to the port `target`. Its methods are for any thread."""

    def __init__(self, target: int, loop: asyncio.AbstractEventLoop) -> None:
        self.lost = 0  # answers, so far
        self._target = target
        self._loop = loop
        self._refuses = False
        self._mute = False
        self._to_lose = 0
        self._ends: set[asyncio.StreamWriter] = set()
        self._server = self._run(asyncio.start_server(self._serve, LOOPBACK, 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def lead_to(self, target: int) -> None:
        """Lead new connections to another port; those that are open stay, as at a failover."""
        self._target = target

    def refuse(self) -> None:
        """Cut every connection, and all that come, until `heal`."""
        self._refuses = True
        self._run(self._cut())

    def mute(self) -> None:
        """Pass requests on and keep the answers, with the connections open, until `heal`."""
        self._mute = True

    def lose_answers(self, count: int) -> None:
        """Cut a connection after its request went through, in place of the answer, `count` times."""
        self._to_lose = count

    def heal(self) -> None:
        """Pass everything on again. Connections whose answers were kept are cut: they are out of step."""
        if self._mute:
            self._run(self._cut())
        self._refuses, self._mute, self._to_lose = False, False, 0

    def close(self) -> None:
        """Stop listening, and cut every connection."""
        self._loop.call_soon_threadsafe(self._server.close)
        self.refuse()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10.0)

    async def _cut(self) -> None:
        for end in self._ends:
            end.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        try:
            inward, outward = await asyncio.open_connection(LOOPBACK, self._target)
        except OSError:  # the log itself is away
            writer.transport.abort()
            self._ends.discard(writer)
            return
        ends = {writer, outward}
        self._ends |= ends
        ways = [
            asyncio.ensure_future(self._ask(reader, outward)),
            asyncio.ensure_future(self._answer(inward, writer)),
        ]
        if not self._refuses:
            # When one side is done, so is the other: Redis and its clients never half-close.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in ends:
            end.transport.abort()
        await asyncio.gather(*ways, return_exceptions=True)
        self._ends -= ends

    async def _ask(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await client.read(CHUNK):
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


@contextlib.contextmanager
def proxies_to(target: int, count: int) -> Iterator[list[Proxy]]:
    """Have `count` open proxies to the port `target` of this machine."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxies", daemon=True)
    thread.start()
    proxies: list[Proxy] = []
    try:
        proxies += [Proxy(target, loop) for _ in range(count)]
        yield proxies
    finally:
        for proxy in proxies:
            proxy.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
