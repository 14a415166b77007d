"""Run orders through the system while faults hit it at random, and judge what is left.

Exit code 0: every order is consistent, every saga ended, none stood still for 30 s, and `explain` accounts for the time of ten
orders; with outages, no more charges
reached the primary payment than its circuit breaker may let through.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from demo.programs import DemoError
from sagas.order import DISPATCH
from tests.chaos.run import run
from tests.chaos.schedule import Options, draw_schedule
from tests.chaos.verdict import print_verdict, write_figures, write_histories

INTERRUPTED = 130
TERMINATED = 143


def main(options: Options, directory: Path, console: Console) -> int:
    """Draw the schedule, run it, print the verdict; return the exit code."""
    schedule = draw_schedule(options)
    given = {"ORDER_DISPATCH": DISPATCH, **options.model_dump(exclude={"outages"})}
    told = " ".join(f"{name.upper()}={value}" for name, value in given.items())
    directory /= f"{options.seed}-{options.pool}-{time.strftime('%Y%m%d-%H%M%S')}"
    text = f"{told}: {len(schedule.faults)} faults; logs in {directory}"
    console.print(text, soft_wrap=True)
    verdict = run(options, schedule, directory=directory)
    write_histories(verdict, directory)
    write_figures(verdict, directory)
    print_verdict(verdict, console=console, directory=directory)
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--outages", action="store_true", help="take the primary payment down")
    parser.add_argument("--directory", type=Path, default=Path(".run/chaos"), help="for logs")
    arguments = parser.parse_args()
    # As an exception, so that every context closes on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        options = Options.from_environment(os.environ, outages=arguments.outages)
        sys.exit(main(options, arguments.directory, Console(highlight=False)))
    except (DemoError, ValidationError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
