"""The longest time that the loop of a FastAPI application stands still while Redis, and then the broker, is frozen: ``python -m tests.support.served_loop``.

uvicorn serves it in a process of its own, with a ticker in its loop. Clients here start sagas, follow them and cancel them, many
at a time: first while both are there, then while Redis is stopped by SIGSTOP, then while the broker is.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

import httpx
from celery import Celery
from fastapi import FastAPI

from amends import Handle
from amends.fastapi import add_sagas
from demo.ports import free_port
from demo.programs import Program, running
from demo.servers import RedisServer, WebProgram
from tests.support.engine_saga import Job, job_saga
from tests.support.loop_stalls import Gaps, frozen, report, tick

CLIENTS: Final = 15
"""Not so many that their requests alone, which come at once after each time-out, keep the loop busy for as long as is measured."""


def make_api() -> FastAPI:
    """Make the application: what it was asked for last, and what its ticker saw since, is told by ``/gaps``."""
    app = Celery("served_loop", broker=os.environ["BROKER"])
    app.conf.amends_backend = os.environ["LOG"]
    app.finalize()
    seen = Gaps("")

    @asynccontextmanager
    async def with_ticker(_: FastAPI) -> AsyncIterator[None]:
        ticker = asyncio.create_task(tick(seen))
        yield
        ticker.cancel()

    api = FastAPI(lifespan=with_ticker)
    add_sagas(api, app)

    @api.get("/gaps")
    async def gaps() -> dict[str, object]:
        told = asdict(seen)
        seen.gaps.clear()
        seen.own.clear()
        return told

    @api.post("/sagas/{saga_id}", status_code=201)
    async def start(saga_id: str) -> None:
        await job_saga.start_async(Job(job_id=saga_id), saga_id=saga_id)

    @api.get("/sagas/{saga_id}")
    async def status(saga_id: str) -> str:
        return await Handle(saga_id, dict).status_async()

    @api.get("/sagas/{saga_id}/early")
    async def early(saga_id: str) -> dict[str, object]:
        try:
            return await Handle(saga_id, dict).wait_async(0.5, until="a")
        except TimeoutError:
            return {}

    @api.delete("/sagas/{saga_id}")
    async def cancel(saga_id: str) -> None:
        await Handle(saga_id, dict).cancel_async()

    return api


async def measure(
    api: WebProgram, phase: str, seconds: float, run_id: str, *, callers: int
) -> Gaps:
    """Call all of it from many clients for so many seconds, and return what the ticker saw meanwhile."""
    ended: Counter[str] = Counter()
    ends_at = time.monotonic() + seconds

    async def call_all(client: httpx.AsyncClient, caller: int) -> None:
        turn = 0
        while time.monotonic() < ends_at:
            turn += 1
            path = f"/sagas/{run_id}-{caller}-{turn}"
            for method, page in (
                ("POST", path),
                ("GET", path),
                ("GET", f"{path}/early"),
                ("DELETE", path),
            ):
                what = f"{method} {page.removeprefix(path) or 'saga'}"
                try:
                    answer = await client.request(method, page)
                    ended[f"{what}: {answer.status_code}"] += 1
                except httpx.TimeoutException:
                    ended[f"{what}: no answer in 2 s"] += 1

    async with httpx.AsyncClient(base_url=api.url, timeout=2.0) as client:
        await client.get("/gaps")
        await asyncio.gather(*(call_all(client, each) for each in range(callers)))
        await asyncio.sleep(ends_at - time.monotonic())
        told = (await client.get("/gaps")).json()
    return Gaps(phase, gaps=told["gaps"], own=told["own"], ended=ended)


async def phases_of(api: WebProgram, log: Program, broker: Program, seconds: float) -> list[Gaps]:
    """Measure each phase for so many seconds."""
    await measure(api, "at first", 1.0, "first", callers=CLIENTS)  # what is made and imported once
    found = [
        await measure(api, "nothing is called", seconds, "none", callers=0),
        await measure(api, "both are there", seconds, "there", callers=CLIENTS),
    ]
    for server, phase in ((log, "the log's Redis is frozen"), (broker, "the broker is frozen")):
        with frozen(server):
            found.append(await measure(api, phase, seconds, f"no-{server.name}", callers=CLIENTS))
        await measure(api, "between", 1.0, f"after-{server.name}", callers=CLIENTS)
    return found


def run(directory: Path, seconds: float) -> list[Gaps]:
    """Serve the application, and measure each phase for so many seconds."""
    log, broker = (RedisServer(name, directory=directory) for name in ("log", "broker"))
    port = free_port()
    words = ("uvicorn", "--factory", f"{__spec__.name}:make_api", "--port", str(port))
    urls = {"LOG": f"{log.url}/0", "BROKER": f"{broker.url}/0"}
    api = WebProgram(
        "api",
        *words,
        "--no-access-log",
        port=port,
        page="gaps",
        directory=directory,
        environment=urls,
    )
    with running(log, broker, api):
        return asyncio.run(phases_of(api, log, broker, seconds))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(report(run(Path(folder), float(sys.argv[1]) if sys.argv[1:] else 10.0)))
