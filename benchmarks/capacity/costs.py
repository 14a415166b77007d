"""What each transition of a saga of five steps takes of the log's Redis, asked one by one from one connection.

The steps' activities are left out: what is run is the log's part of a life, by the log's own methods.
"""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import redis

from amends.log.answers import Claim
from amends.log.saga_log import SagaLog
from benchmarks.cluster.use import Use
from benchmarks.growth.saga import FIVE, ORDER_BYTES, Answer, load_of, saga
from benchmarks.servers import Server, server

Rows = list[dict[str, Any]]
Transition = tuple[str, Callable[[str], object]]
"""What it is called, and what asks for it, for a saga."""

DISPATCHES: Final = ("chain", "inline")
SYNCS: Final = ("no", "always")
_WARM: Final = 50
_OWNER: Final = "0f3a5c7e9b1d/4711/8f14e45f-ceea-467f-a8f3-1e2d5c0b9a77"
_OUTPUT: Final = Answer(reference="8f14e45f-ceea-467f-a8f3-1e2d5c0b9a77").model_dump_json()
_INPUT: Final = load_of(0, ORDER_BYTES).model_dump_json()
_PATHS: Final = [f"step_{n}" for n in range(1, FIVE + 1)]


@contextlib.contextmanager
def log_on_a_redis(shards: int = 64) -> Iterator[tuple[Server, SagaLog]]:
    """Run a Redis with an empty log in it."""
    with (
        tempfile.TemporaryDirectory() as directory,
        server(Path(directory)) as place,
        redis.Redis.from_url(place.url, decode_responses=True, socket_timeout=600.0) as client,
    ):
        yield place, SagaLog(client, shards=shards)


def transitions(log: SagaLog, dispatch: str) -> Iterator[Transition]:
    """Yield the transitions of a saga that meets no failure, in their order."""
    yield "start_saga", lambda each: log.starts.start_saga(each, saga.itinerary, _INPUT)
    claimed = False
    for path, following in zip(_PATHS, [*_PATHS[1:], ""], strict=True):
        if not claimed:
            yield f"claim_step, {path}", partial(_claim, log, path)
        goes_on = dispatch == "inline" and following
        if goes_on:
            yield f"complete_and_claim, {path}", partial(_go_on, log, path, following)
        else:
            yield f"complete_step, {path}", partial(_complete, log, path, following)
        claimed = bool(goes_on)


def _claim(log: SagaLog, path: str, saga_id: str) -> object:
    return log.claim_step(saga_id, path, token=path, owner=_OWNER, retries=0)


def _complete(log: SagaLog, path: str, following: str, saga_id: str) -> object:
    return log.complete_step(saga_id, path, token=path, output=_OUTPUT, link=following)


def _go_on(log: SagaLog, path: str, following: str, saga_id: str) -> object:
    claim = Claim(token=following, owner=_OWNER, retries=0)
    return log.complete_and_claim(
        saga_id, path, token=path, output=_OUTPUT, link=following, claim=claim
    )


def measure(place: Server, log: SagaLog, prefix: str, *, dispatch: str, sagas: int) -> Rows:
    """Move so many sagas from transition to transition, all through one before the next.

    A row a transition, in seconds each: `scripts` and `thread` as Redis counts them, `wall` as its client does.
    """
    ids = [f"{prefix}-{n}" for n in range(sagas)]
    return [
        {"transition": name, "dispatch": dispatch, **spent(place, partial(_each, ask, ids), sagas)}
        for name, ask in transitions(log, dispatch)
    ]


def _each(ask: Callable[[str], object], ids: list[str]) -> None:
    for saga_id in ids:
        ask(saga_id)


def spent(place: Server, ask: Callable[[], object], count: int) -> dict[str, float]:
    """Ask, and return what that took for each of so many, less what it takes to read Redis's counters."""
    first, before, began = Use.read(place.client), Use.read(place.client), time.perf_counter()
    ask()
    wall, used = time.perf_counter() - began, Use.read(place.client) - before
    own = used - (before - first)
    found = {name: value / count for name, value in vars(own).items() if name != "calls"}
    return {"wall": wall / count, **found}


def measure_all(rounds: int, sagas: int, say: Callable[[str], None]) -> Rows:
    """Measure each dispatch with each way to sync, round by round."""
    rows: Rows = []
    with log_on_a_redis() as (place, log):
        for dispatch in DISPATCHES:  # it loads the scripts
            measure(place, log, f"warm-{dispatch}", dispatch=dispatch, sagas=_WARM)
        for number in range(rounds):
            for sync in SYNCS:
                place.client.config_set("appendfsync", sync)
                for dispatch in DISPATCHES:
                    prefix = f"{number}-{sync}-{dispatch}"
                    found = measure(place, log, prefix, dispatch=dispatch, sagas=sagas)
                    labels = {"what": "cost", "round": number, "sync": sync}
                    rows += [{**labels, **row} for row in found]
            say(f"costs: round {number + 1} of {rounds}")
    return rows
