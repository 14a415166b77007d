"""How the cost of a saga grows: ``make bench-growth``. `benchmarks.growth.plan` says what the environment sets."""

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.growth.axes import measure_payload, measure_steps, measure_workers
from benchmarks.growth.others import measure_others
from benchmarks.growth.page import write_page
from benchmarks.growth.plan import AXES, Plan, Rows
from benchmarks.growth.plots import draw
from benchmarks.growth.results import Results
from benchmarks.processes import bed
from benchmarks.results import describe_machine

_MEASURES = {
    "others": measure_others,
    "steps": measure_steps,
    "payload": measure_payload,
    "workers": measure_workers,
}


def main() -> int:
    """Measure along each axis, write the figures, and the page with its tables and plots."""
    plan, began = Plan.read(), time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)  # noqa: T201

    rows: Rows = []
    with tempfile.TemporaryDirectory() as directory, bed(Path(directory)) as broker:
        machine = describe_machine(broker.client.info("server")["redis_version"])
        for axis in plan.axes:
            say(axis)
            rows += [{"axis": axis, **row} for row in _MEASURES[axis](plan, broker, say)]
            broker.clear()
            seconds = time.monotonic() - began
            results = Results.of(plan, machine=machine, rows=rows, seconds=seconds)
            results.write(plan.results)  # now and then: a run is long
    say(f"written: {plan.results}")
    if set(plan.axes) == set(AXES):  # the page is of one run
        written = Results.read(plan.results)  # whose numbers are rounded
        write_page(written, plan.page)
        draw(written, plan.page.parent)
        say(f"written: {plan.page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
