"""Rules about circuit breakers of which each worker has its own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from amends.breaker.definition import breakers
from amends.breaker.states import CircuitState
from amends.diagnosis.deployment.findings import Problem, Rule, few, warning
from amends.errors import ConfigurationError, LogUnavailable


@dataclass(frozen=True, kw_only=True)
class WorkerCircuits:
    """The states of a breaker's circuits, by worker."""

    breaker: str
    states: Mapping[str, CircuitState]


def read_circuits(workers: Sequence[str]) -> list[WorkerCircuits]:
    """Read the circuits of these workers; none where that Redis is away or refuses."""
    own = [each for each in breakers() if each.options.scope == "worker"]
    try:
        return [
            WorkerCircuits(
                breaker=breaker.name,
                states={worker: breaker.of(worker).state for worker in workers},
            )
            for breaker in own
        ]
    except (LogUnavailable, ConfigurationError):
        return []


@warning("breakers.alone", fine="no worker's circuit is open while those of others are closed")
def _alone(found: Sequence[WorkerCircuits]) -> Iterator[Problem]:
    for each in found:
        closed = [worker for worker, state in each.states.items() if state is CircuitState.CLOSED]
        for worker, state in each.states.items():
            if closed and state in (CircuitState.OPEN, CircuitState.HALF_OPEN):
                yield Problem(
                    what=f"calls behind {each.breaker} fail in {worker} and not in {few(closed)}",
                    where=worker,
                    remedy="look at its host: disk, network, DNS, credentials; or stop that worker",
                )


RULES: Sequence[Rule[Sequence[WorkerCircuits]]] = (_alone,)
