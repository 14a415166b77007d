"""The other axes: what a saga costs by its steps, by its payload, and by the processes that work."""

import contextlib
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.growth.plan import Plan, Rows, Say
from benchmarks.growth.sagas import DISPATCHES, FIVE, ORDER_BYTES, Dispatch, saga_of
from benchmarks.growth.stand import Stand, stand
from benchmarks.processes import Bed, bed

_PROCESSES: Final = 2
_STEPS_A_RUN: Final = FIVE  # for each of `Plan.sagas`
_BYTES_A_RUN: Final = 20_000_000
_FEWEST: Final = 10

Case = tuple[dict[str, Any], Callable[[], dict[str, float]]]
"""What is measured, and how."""


def measure_steps(plan: Plan, broker: Bed, say: Say) -> Rows:
    """Run sagas of few and of many steps, so many that each run has about as many steps."""
    with _one_stand(broker) as one:

        def case(steps: int, dispatch: Dispatch) -> Case:
            saga, count = saga_of(steps, dispatch=dispatch), _fewer(_sagas(plan) * FIVE // steps)
            labels = {"steps": steps, "dispatch": dispatch}
            return labels, lambda: asdict(one.run(saga, count, ORDER_BYTES))

        cases = [case(steps, dispatch) for dispatch in DISPATCHES for steps in plan.steps]
        return _in_turn("steps", plan.rounds, cases, say)


def measure_payload(plan: Plan, broker: Bed, say: Say) -> Rows:
    """Run sagas with small and with large inputs, each of which all five steps read."""
    with _one_stand(broker) as one:

        def case(size: int, dispatch: Dispatch) -> Case:
            saga, count = (
                saga_of(FIVE, dispatch=dispatch),
                min(_sagas(plan), _fewer(_BYTES_A_RUN // size)),
            )
            labels = {"bytes": size, "dispatch": dispatch}
            return labels, lambda: asdict(one.run(saga, count, size))

        cases = [case(size, dispatch) for dispatch in DISPATCHES for size in plan.payloads]
        return _in_turn("payload", plan.rounds, cases, say)


def measure_workers(plan: Plan, broker: Bed, say: Say) -> Rows:
    """Run sagas in workers with few and with many processes, whose steps do nothing, or wait as for a service."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        place = stack.enter_context(bed(Path(directory)))
        stands = {
            processes: stack.enter_context(
                stand(place, broker, database=database, processes=processes)
            )
            for database, processes in enumerate(plan.workers)
        }

        def case(processes: int, dispatch: Dispatch, *, waits: bool) -> Case:
            saga = saga_of(FIVE, dispatch=dispatch, waits=waits)
            count = _fewer(_sagas(plan) * min(processes, 4) // 4) if waits else _sagas(plan)
            labels = {"processes": processes, "dispatch": dispatch, "waits": waits}
            return labels, lambda: asdict(stands[processes].run(saga, count, ORDER_BYTES))

        cases = [
            case(processes, dispatch, waits=waits)
            for waits in (False, True)
            for dispatch in DISPATCHES
            for processes in plan.workers
        ]
        return _in_turn("workers", plan.rounds, cases, say)


@contextlib.contextmanager
def _one_stand(broker: Bed) -> Iterator[Stand]:
    with (
        tempfile.TemporaryDirectory() as directory,
        bed(Path(directory)) as place,
        stand(place, broker, database=0, processes=_PROCESSES) as one,
    ):
        yield one


def _in_turn(what: str, rounds: int, cases: list[Case], say: Say) -> Rows:
    """Measure each case once a round, in an order that is drawn, and before the first round for nothing."""
    rows: Rows = []
    for number in range(-1, rounds):
        for labels, measure in random.sample(cases, len(cases)):
            costs = measure()
            if number >= 0:
                rows.append({"what": what, "round": number, **labels, **costs})
        say(f"{what}: round {number + 1} of {rounds}")
    return rows


def _sagas(plan: Plan) -> int:
    """Tell how many a run has: half of what is asked for, since the costs that are compared here differ by more."""
    return _fewer(plan.sagas // 2)


def _fewer(count: int) -> int:
    return max(count, _FEWEST)
