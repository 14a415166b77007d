"""What a log costs by how many shards it has, with the same ended sagas in it: a saga's transitions, and what asks all shards."""

from collections.abc import Callable
from functools import partial
from typing import Final

from benchmarks.capacity.costs import Rows, log_on_a_redis, measure, spent
from benchmarks.cluster.upkeep import ASKED, app_of
from benchmarks.growth.crowd import ENDED, grow
from benchmarks.servers import Server

_WARM: Final = 50


def measure_shards(
    shards: int, *, ended: int, rounds: int, sagas: int, say: Callable[[str], None]
) -> Rows:
    """Fill a log of so many shards with ended sagas, and measure it round by round."""
    labels = {"shards": shards, "ended": ended}
    with log_on_a_redis(shards) as (place, log):
        place.client.config_set("appendonly", "no")
        before = place.info("memory")["used_memory"]
        grow(log, ENDED, range(ended))
        kept = (place.info("memory")["used_memory"] - before) / ended
        say(f"{shards:,} shards: {ended:,} ended sagas")
        measure(place, log, "warm", dispatch="chain", sagas=_WARM)
        rows: Rows = [{"what": "kept", **labels, "kept": kept}]
        for number in range(rounds):
            found = measure(place, log, f"r{number}", dispatch="chain", sagas=sagas)
            rows += [{"what": "among", "round": number, **labels, **row} for row in found]
            rows += [{"round": number, **labels, **row} for row in _ask_all(place, shards)]
    return rows


def _ask_all(place: Server, shards: int) -> Rows:
    """Ask each thing that asks all shards once, with nothing due."""
    app = app_of(f"{place.url}/0", "memory://", shards=shards)
    for ask in ASKED.values():
        ask(app)
    return [
        {"what": "asked", "asked": name, **spent(place, partial(ask, app), 1)}
        for name, ask in ASKED.items()
    ]
