"""Run orders through the system while parts of it are killed at random, and judge what is left.

Exit code 0: every order is consistent, every saga ended, and none stood still for 30 s; with outages, no more charges
reached the primary payment than its circuit breaker may let through.
"""

import argparse
import os
import secrets
import signal
import sys
import time
from pathlib import Path

from rich.console import Console

from demo.errors import LocalError
from sagas.order import DISPATCH
from tests.chaos.run import Options, run
from tests.chaos.schedule import draw_schedule
from tests.chaos.verdict import print_verdict, write_histories

INTERRUPTED = 130
TERMINATED = 143
POOLS = ("prefork", "threads")
BROKERS = ("redis", "rabbitmq")


def main(arguments: argparse.Namespace, console: Console) -> int:
    """Draw the schedule, run it, print the verdict; return the exit code."""
    schedule = draw_schedule(
        seed=arguments.seed,
        orders=arguments.orders,
        minutes=arguments.minutes,
        pool=arguments.pool,
        broker=arguments.broker,
        outages=arguments.outages,
    )
    when = time.strftime("%Y%m%d-%H%M%S")
    directory = arguments.directory / f"{arguments.seed}-{arguments.pool}-{when}"
    console.print(
        f"SEED={arguments.seed} ORDERS={arguments.orders} MINUTES={arguments.minutes:g}"
        f" POOL={arguments.pool} BROKER={arguments.broker} ORDER_DISPATCH={DISPATCH}: {len(schedule.faults)} faults; logs in {directory}",
        soft_wrap=True,
    )
    options = Options(
        seed=arguments.seed,
        schedule=schedule,
        pool=arguments.pool,
        broker=arguments.broker,
        outages=arguments.outages,
    )
    verdict = run(options, directory=directory)
    write_histories(verdict, directory)
    print_verdict(verdict, console=console, directory=directory)
    return 0 if verdict.passed else 1


def parse(words: list[str]) -> argparse.Namespace:
    """Read the options; each has its default from the environment, as `make chaos` gives it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    known = os.environ
    parser.add_argument(
        "--seed",
        type=_whole,
        default=known.get("SEED") or str(secrets.randbelow(10**6)),
        help="what the schedule is drawn from (SEED; default: a fresh one)",
    )
    parser.add_argument(
        "--orders", type=_count, default=known.get("ORDERS") or "200", help="ORDERS (200)"
    )
    parser.add_argument(
        "--minutes", type=_minutes, default=known.get("MINUTES") or "2", help="MINUTES (2)"
    )
    parser.add_argument(
        "--pool",
        type=_pool,
        default=known.get("POOL") or "prefork",
        help="POOL (prefork), or threads",
    )
    parser.add_argument(
        "--broker",
        type=_broker,
        default=known.get("BROKER") or "redis",
        help="BROKER (redis), or rabbitmq",
    )
    parser.add_argument(
        "--outages",
        action="store_true",
        help="take the primary payment down again and again, and judge its circuit breaker",
    )
    parser.add_argument(
        "--directory", type=Path, default=Path(".run/chaos"), help="for logs (.run/chaos)"
    )
    return parser.parse_args(words)


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no seed: give a whole number, 0 or more")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give the number of orders, 1 or more")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0.0 < minutes <= 24 * 60:
        raise argparse.ArgumentTypeError(f"{text!r}: give the minutes of faults, such as 2 or 0.5")
    return minutes


def _pool(text: str) -> str:
    return _one_of(text, POOLS)


def _broker(text: str) -> str:
    return _one_of(text, BROKERS)


def _one_of(text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise argparse.ArgumentTypeError(f"{text!r}: choose {' or '.join(known)}")
    return text


if __name__ == "__main__":
    # As an exception, so that every context closes on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        sys.exit(main(parse(sys.argv[1:]), Console(highlight=False)))
    except LocalError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
