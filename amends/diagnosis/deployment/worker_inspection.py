"""The running workers, inspected over the broker."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from celery import Celery
from kombu import Connection

from amends.dispatch.messages import ADVANCE

ASKED_OF_TASKS: Final = (
    *("acks_late", "reject_on_worker_lost", "acks_on_failure_or_timeout"),
    "max_retries",
)

Effective = Mapping[str, str]
"""A task's options as they are in effect, each as Python prints it; None is left out."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds that an examination waits for answers."""

    total: float = 6.0  #: After which the log or the broker is away.
    first_call: float = 1.0  #: In which any worker may answer.
    next_call: float = (
        1.5  #: In which the next answer of the workers that are known to live has to come.
    )


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker that answered. `pool` is its kind, as in ``celery worker --pool``."""

    node: str
    queues: frozenset[str]
    tasks: Mapping[str, Effective] = field(repr=False)
    pool: str

    @property
    def knows_sagas(self) -> bool:
        """Whether it has imported amends."""
        return ADVANCE in self.tasks


def ask_workers(
    app: Celery, connection: Connection, beating: Sequence[str], *, patience: Patience
) -> list[Worker]:
    """Ask every worker what it consumes and knows; `beating` are nodes that are waited for a bit longer."""
    inspect = partial(app.control.inspect, connection=connection)

    def ask(nodes: Iterable[str], command: Callable[[Any], Any]) -> dict[str, Any]:
        return _answers(partial(inspect, timeout=patience.next_call), list(nodes), command)

    queues = inspect(timeout=patience.first_call).active_queues() or {}
    queues |= ask(set(beating) - queues.keys(), lambda workers: workers.active_queues())
    tasks = ask(queues, lambda workers: workers.registered(*ASKED_OF_TASKS))
    stats = ask(tasks, lambda workers: workers.stats())
    return [
        Worker(
            node=node,
            queues=frozenset(each["name"] for each in queues[node] or ()),
            tasks=dict(map(_effective, tasks[node])),
            pool=_pool(stats[node]),
        )
        for node in sorted(stats)
    ]


class _Complete(Exception):  # noqa: N818 - no error: all have answered
    pass


def _answers(
    inspect: Callable[..., Any], nodes: Sequence[str], command: Callable[[Any], Any]
) -> dict[str, Any]:
    """Ask these workers, until all have answered or none does for a while.

    Celery's own limit would count the late answers to an earlier question, too (``Mailbox._collect`` in kombu/pidbox.py).
    """
    heard: dict[str, Any] = {}

    def hear(answer: Mapping[str, Any]) -> None:
        heard.update(answer)
        if heard.keys() >= set(nodes):
            raise _Complete

    if nodes:
        with suppress(_Complete):
            command(inspect(destination=nodes, limit=sys.maxsize, callback=hear))
    return {node: answer for node, answer in heard.items() if "error" not in answer}


def _effective(told: str) -> tuple[str, Effective]:
    """Read what Celery's ``registered`` says of a task: ``name [option=value option=value]``."""
    name, _, rest = told.partition(" [")
    pairs = [pair.partition("=") for pair in rest.removesuffix("]").split()]
    return name, {option: value for option, _, value in pairs}


def _pool(stats: Mapping[str, Any]) -> str:
    """Read the kind of a pool: Celery says ``celery.concurrency.prefork:TaskPool``."""
    module = str(stats.get("pool", {}).get("implementation", "")).partition(":")[0]
    return module.rpartition(".")[2]
