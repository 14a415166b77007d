"""All circuits of this process's breakers: one of each breaker, or one for each worker."""

from collections.abc import Iterable

from amends.breaker.control import Control
from amends.breaker.definition import breakers
from amends.breaker.scope import BETWEEN


def circuits(workers: Iterable[str]) -> list[Control]:
    """List the circuits of the breakers that are defined in this process, by name.

    workers: the names of those whose circuits are wanted, of a breaker that has one for each worker.
    """
    known = sorted(set(workers))
    found: list[Control] = []
    for breaker in breakers():
        is_shared = breaker.options.scope == "shared"
        found += [breaker] if is_shared else [breaker.of(worker) for worker in known]
    return found


def circuit_named(name: str) -> Control | None:
    """Find a circuit by its name: a breaker's, or one's and a worker's; None where this process defines none."""
    own, _, worker = name.partition(BETWEEN)
    breaker = next((each for each in breakers() if each.name == own), None)
    if breaker is None or bool(worker) != (breaker.options.scope == "worker"):
        return None
    return breaker.of(worker) if worker else breaker
