"""What is asked of all sagas at once, node by node: a sweep, a list, stats, a scrape, a look of the retention."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final

from celery import Celery

from amends.log.queries.census import take_census
from amends.log.queries.listing import find_sagas
from amends.log.queries.query import Query
from amends.log.saga_log import log_of
from amends.telemetry.prometheus.collector import SagaCollector
from amends.worker.retention import remove_ended
from amends.worker.sweep import BATCH, Sweep
from benchmarks.cluster.stand import LogNodes
from benchmarks.cluster.tally import Sent
from benchmarks.monitor import Monitor

Upkeep = Mapping[str, list[dict[str, int]]]
"""Commands by name, of each node, by what was asked."""


def _sweep(app: Celery) -> None:
    """Do what a worker does at each interval of its sweeps."""
    log_of(app).maintenance.hasten_parked(limit=BATCH)
    Sweep(app, may_judge=lambda: True).run_once()


ASKED: Final[Mapping[str, Callable[[Celery], Any]]] = {
    "sweep": _sweep,
    "list": lambda app: find_sagas(app, Query()),
    "stats": take_census,
    "scrape": lambda app: list(SagaCollector(app).collect()),
    "retention": remove_ended,
}


def app_of(backend: str, broker: str, **settings: Any) -> Celery:
    """Make an app that only looks; `settings` are of amends, without their prefix."""
    app = Celery("upkeep", broker=broker, set_as_current=False)
    app.conf.update({f"amends_{name}": value for name, value in settings.items()})
    app.conf.amends_backend = backend
    return app


def count_upkeep(nodes: LogNodes, broker: str) -> Upkeep:
    """Ask each once, with nothing due, and count what every node was sent for it."""
    app = app_of(nodes.url, broker)
    for ask in ASKED.values():
        ask(app)  # what a process asks once
    return {name: _count(nodes, lambda ask=ask: ask(app)) for name, ask in ASKED.items()}  # type: ignore[misc]


def _count(nodes: LogNodes, ask: Callable[[], Any]) -> list[dict[str, int]]:
    with ExitStack() as stack:
        monitors = [stack.enter_context(Monitor(client)) for client in nodes.clients]
        ask()
    return [dict(Counter(Sent.read(each).name for each in one.commands)) for one in monitors]
