"""What a saga costs each node of a cluster of three primaries, and one Redis beside it: ``make bench-cluster``.

A worker runs sagas of five steps, 50 at a time, with its broker on a Redis of its own, which does not sync. First MONITOR on each node tells
every command; then, without it, each node's own counters tell what as many sagas took. `Plan` lists what the environment sets.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from rich.console import Console
from rich.table import Table

from benchmarks.cluster.stand import LogNodes, Stand, client_of_one, stand
from benchmarks.cluster.tally import Tally, tally
from benchmarks.cluster.upkeep import Upkeep, count_upkeep
from benchmarks.cluster.use import Use, read_all
from benchmarks.contenders import OURS, Contender
from benchmarks.course import BROKER
from benchmarks.monitor import Monitor
from benchmarks.plan import read_fields
from benchmarks.results import describe_machine, write_rows
from benchmarks.servers import Server, server
from tests.support.redis_clusters import own_cluster

PRIMARIES: Final = 3


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured. Each field is a variable of its name, in capitals.

    sagas: of each run.
    results: file for the figures.
    """

    sagas: int = 1000
    results: Path | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read it. Raises ``ValueError`` for a number that is none."""
        return cls(**read_fields(cls, environment))

    def told(self) -> Mapping[str, Any]:
        """Return what was asked for, but for where the figures go."""
        return {name: each for name, each in vars(self).items() if name != "results"}


@contextmanager
def logs(directory: Path) -> Iterator[list[LogNodes]]:
    """Run one Redis and a cluster."""
    with server(directory / "one") as one, own_cluster(directory, primaries=PRIMARIES) as cluster:
        url = f"{one.url}/0"
        yield [
            LogNodes(title="one Redis", url=url, clients=[client_of_one(url)]),
            LogNodes(
                title=f"{PRIMARIES} primaries",
                url=cluster.url,
                clients=[client_of_one(node.url) for node in cluster.primaries],
            ),
        ]


def count(running: Stand, sagas: int) -> Tally:
    """Run so many sagas under MONITOR."""
    nodes = running.nodes
    with ExitStack() as stack:
        monitors = [stack.enter_context(Monitor(client)) for client in nodes.clients]
        running.run(sagas)
    return tally([each.commands for each in monitors], nodes.node_of, sagas=sagas)


def spend(running: Stand, sagas: int) -> list[Use]:
    """Run so many sagas; return what each node spent, and at last what the broker did."""
    clients = [*running.nodes.clients, running.broker.client]
    before = read_all(clients)
    running.run(sagas)
    return [late - early for early, late in zip(before, read_all(clients), strict=True)]


def measure(contender: Contender, nodes: LogNodes, broker: Server, sagas: int) -> dict[str, Any]:
    """Return the row of one contender on one log."""
    with stand(contender, nodes, broker) as running:
        counted, (*spent, broker_spent) = count(running, sagas), spend(running, sagas)
    how = {
        "what": "sagas",
        "dispatch": contender.title,
        "log": nodes.title,
        "shards": nodes.shards_by_node(),
    }
    return {
        **how,
        **asdict(counted),
        "each": counted.each,
        "skew": counted.skew,
        "spent": [asdict(each) for each in spent],
        "broker": broker_spent.thread / sagas,
    }


def table(rows: list[dict[str, Any]]) -> Table:
    """Return what a saga costs, and what of it went astray."""
    heads = (
        "",
        "log",
        "commands",
        "by name",
        "shards",
        "share of each node",
        "elsewhere",
        "strays",
    )
    found = Table(*heads, "on several", "share of script time")
    for row in rows:
        names = ", ".join(f"{name} {each:g}" for name, each in row["by_name"].items())
        shares = _shares(row["by_node"])
        times = _shares([each["scripts"] for each in row["spent"]])
        lost = (str(row[name]) for name in ("elsewhere", "strays", "on_several"))
        shards = " ".join(map(str, row["shards"]))
        found.add_row(
            row["dispatch"], row["log"], f"{row['each']:g}", names, shards, shares, *lost, times
        )
    return found


def _shares(parts: list[float]) -> str:
    return " ".join(f"{each / sum(parts):.1%}" for each in parts)


def upkeep_table(upkeep: Mapping[str, Upkeep]) -> Table:
    """Return how many commands each node gets for what asks all of them."""
    found = Table("commands of each node", *next(iter(upkeep.values())))
    for title, asked in upkeep.items():
        cells = (" ".join(str(sum(node.values())) for node in nodes) for nodes in asked.values())
        found.add_row(title, *cells)
    return found


def main() -> int:
    """Measure, print tables, and write the figures to ``RESULTS``."""
    plan, console = Plan.read(), Console(width=200)
    rows, upkeep = [], {}
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        with logs(directory) as found, server(directory / "broker") as broker:
            broker.client.config_set("appendfsync", "no")
            machine = describe_machine(broker.info("server")["redis_version"])
            for nodes in found:
                rows += [measure(each, nodes, broker, plan.sagas) for each in OURS]
                upkeep[nodes.title] = count_upkeep(nodes, f"{broker.url}/{BROKER}")
    console.print(table(rows))
    console.print(upkeep_table(upkeep))
    if plan.results:
        head = {"machine": machine, "asked": plan.told()}
        asked = [{"what": "upkeep", "log": log, **each} for log, each in upkeep.items()]
        write_rows(plan.results, head, [*rows, *asked])
    return 0


if __name__ == "__main__":
    sys.exit(main())
