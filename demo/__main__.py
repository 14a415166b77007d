"""The whole system on this machine: ``python -m demo up``, ``demo``, ``outage`` or ``verification``."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import httpx
from rich.console import Console

from amends import SagaError
from demo.outage import run_outage
from demo.ports import choose_port
from demo.programs import DemoError, owned
from demo.run import run_orders, use
from demo.system import System, running_system
from demo.verification import run_verification

INTERRUPTED = 130
TERMINATED = 143
COLOURS = ("cyan", "yellow", "green", "magenta", "blue")

OUT = Console(highlight=False, soft_wrap=True)
ERROR = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def up(directory: Path) -> int:
    """Run the whole system until Ctrl-C, and print what it logs from when it is up."""
    services_port = _services_port()
    flower_port, metrics_port = _port("FLOWER_PORT", 5555), _port("METRICS_PORT", 9808)
    console_port = _port("CONSOLE_PORT", 5557)
    _say_start(directory)
    with running_system(
        directory,
        broker=_broker(),
        services_port=services_port,
        flower_port=flower_port,
        metrics_port=metrics_port,
        console_port=console_port,
    ) as system:
        for program in system.programs:
            program.new_lines()  # of the start: they would drive the addresses off the screen
        OUT.print(_summary(system, directory), markup=False)
        try:
            while True:
                system.check()
                _print_logs(system)
                time.sleep(0.2)
        except KeyboardInterrupt:
            OUT.print("ending")
    return 0


def demo(directory: Path) -> int:
    """Run orders through the whole system, with faults switched on, and check what is left of each."""
    count = _orders("40")
    return _run(directory, lambda system: run_orders(system, Console(highlight=False), count=count))


def outage(directory: Path) -> int:
    """Take the primary payment down under orders, and show its circuit breaker meanwhile."""
    return _run(directory, lambda system: run_outage(system, Console(highlight=False)))


def verification(directory: Path) -> int:
    """Lose replies of a bank that ignores idempotency keys, and count the charges with `verify` and without."""
    count, given = _orders("1000"), os.environ.get("LOST") or "0.3"
    try:
        lost = float(given)
    except ValueError:
        lost = -1.0
    if not 0.0 <= lost <= 1.0:
        raise DemoError(f"LOST={given!r}: give the part of the replies that is lost, 0 to 1")
    return _run(
        directory,
        lambda system: run_verification(system, Console(highlight=False), count=count, lost=lost),
    )


def main() -> int:
    """Run the command that the arguments name; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    default = Path(".run")
    parser.add_argument("--directory", type=Path, default=default, help="data and logs (.run)")
    commands = parser.add_subparsers(required=True)
    for command in (up, demo, outage, verification):
        explained = commands.add_parser(command.__name__, help=command.__doc__)
        explained.set_defaults(command=command)
    arguments = parser.parse_args()
    # As an exception, so that every context closes on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        with owned(arguments.directory) as directory:
            return int(arguments.command(directory))
    except (DemoError, SagaError, httpx.HTTPError) as error:
        ERROR.print(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(directory: Path, run: Callable[[System], bool]) -> int:
    _say_start(directory)
    with running_system(directory, broker=_broker(), services_port=_services_port()) as system:
        use(system.urls)
        return 0 if run(system) else 1


def _orders(default: str) -> int:
    count = os.environ.get("ORDERS") or default
    if not count.isdecimal() or int(count) < 1:
        raise DemoError(f"ORDERS={count!r}: give the number of orders to place, 1 or more")
    return int(count)


def _say_start(directory: Path) -> None:
    OUT.print(f"starting Redis, the services and the workers (logs in {directory})", markup=False)


def _services_port() -> int:
    return _port("SERVICES_PORT", 8080)


def _port(setting: str, default: int) -> int:
    return choose_port(setting, default=default, environment=os.environ, say=OUT.print)


def _broker() -> str:
    broker = os.environ.get("BROKER") or "redis"
    if broker not in ("redis", "rabbitmq"):
        raise DemoError(f"BROKER={broker!r}: give one of redis, rabbitmq, or unset it")
    return broker


def _print_logs(system: System) -> None:
    for program, colour in zip(system.programs, cycle(COLOURS)):
        for line in program.new_lines():
            OUT.print(f"{program.name:>13} |", style=colour, end=" ")
            OUT.print(line, markup=False)


def _summary(system: System, directory: Path) -> str:
    user, _, password = system.urls["FLOWER_BASIC_AUTH"].partition(":")
    return f"""
  everything is up
  services   {system.urls["SERVICES_URL"]}/docs
  console    {system.urls["CONSOLE_URL"]}
  Flower     {system.urls["FLOWER_URL"]}
             log in as {user} with the password {password}
  metrics    {system.urls["METRICS_URL"]}
  Redis      {system.urls["AMENDS_BACKEND"]}
  `. {directory / "env"}` gives another shell these addresses
  Ctrl-C ends it
"""


if __name__ == "__main__":
    sys.exit(main())
