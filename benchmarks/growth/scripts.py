"""What each script takes of Redis's time, alone, on one log and on another, in turn."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Final

import redis

from amends.log.control import SagaControl
from amends.log.saga_log import SagaLog
from benchmarks.commands import LaterStore
from benchmarks.growth.sagas import ORDER_BYTES, load_of, saga_of

_SAGA: Final = saga_of(5).itinerary
_PATHS: Final = [step.name for step in _SAGA.steps]
_FAILS_AT: Final = _PATHS[2]
_WAIT: Final = 10_000.0  # seconds
_ANY: Final = 10.0**9
_OUTPUT: Final = '{"reference":"8f14e45f-ceea-467f-a8f3-1e2d5c0b9a77"}'
_ERROR: Final = '{"type":"ConnectionError","message":"the bank does not answer"}'


def script_costs(client: redis.Redis, ids: Sequence[str]) -> dict[str, float]:
    """Run sagas through the scripts, many in one round trip; tell the processor time of each, in seconds."""
    log = SagaLog(client)
    store = log._store = LaterStore(client)  # noqa: SLF001 - sent for many at once
    log.control = SagaControl(store)
    costs: dict[str, float] = {}
    for name, act in _acts(log, ids):
        before = _cpu(client)
        act()
        store.send()
        costs[name] = (_cpu(client) - before) / len(ids)
    log = SagaLog(client)
    log.maintenance.remove_sagas(ids, kept_for=0)
    return costs


def _acts(log: SagaLog, ids: Sequence[str]) -> Iterator[tuple[str, Callable[[], object]]]:
    """Name what is measured, in the order of a saga's life; at its third step an attempt fails."""
    text = load_of(0, ORDER_BYTES).model_dump_json()
    yield "start_saga", lambda: log.starts.start_sagas(_SAGA, [(each, text) for each in ids])
    for path in _PATHS:
        yield f"claim_step, {path}", partial(_claim, log, ids, path)
        if path == _FAILS_AT:
            yield f"retry_step, {path}", partial(_retry, log, ids, path)
            yield (
                f"dispatch_saga, {path}",
                lambda: log.maintenance.look_at_sagas(ids, longest_wait=_ANY),
            )
            yield f"claim_step, {path} again", partial(_claim, log, ids, path, retries=1)
        yield f"complete_step, {path}", partial(_complete, log, ids, path)


def _claim(log: SagaLog, ids: Sequence[str], path: str, *, retries: int = 0) -> None:
    for each in ids:
        log.claim_step(each, path, token="t", owner="worker:1:", retries=retries)  # noqa: S106


def _complete(log: SagaLog, ids: Sequence[str], path: str) -> None:
    link = dict(pairwise(_PATHS)).get(path, "")
    for each in ids:
        log.complete_step(each, path, token="t", output=_OUTPUT, link=link)  # noqa: S106


def _retry(log: SagaLog, ids: Sequence[str], path: str) -> None:
    how: Any = {"token": "t", "error": _ERROR, "unknown": True, "cost": "nothing"}
    for each in ids:
        log.retry_step(each, path, wait=_WAIT, **how)


def _cpu(client: redis.Redis) -> float:
    used: Any = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])
