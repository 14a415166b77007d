"""``python -m demo up`` and ``python -m demo demo``."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import cast, get_args

from rich.console import Console

from demo.errors import LocalError
from demo.ports import choose_port
from demo.stack import Broker, StackOptions, started
from demo.supervision import Owner, owned

# Retries that would wait seconds wait a twentieth of it: the demo shows them, and still ends soon.
DEMO_TIME_SCALE = "0.05"
INTERRUPTED = 130
TERMINATED = 143

OUT = Console(highlight=False, markup=False, soft_wrap=True)
ERROR = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def main() -> int:
    """Run the command that the arguments name; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument(
        "--directory", type=Path, default=Path(".run"), help="data and logs (default: .run)"
    )
    commands = parser.add_subparsers(required=True)
    for command in (up, demo, outage):
        explained = commands.add_parser(
            command.__name__, help=(command.__doc__ or "").split(".")[0]
        )
        explained.set_defaults(command=command)
    arguments = parser.parse_args()
    # As an exception, so that every context closes on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        with owned(arguments.directory) as owner:
            return int(arguments.command(owner))
    except LocalError as error:
        ERROR.print(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def up(owner: Owner) -> int:
    """Run the whole system until Ctrl-C."""
    options = StackOptions(
        services_port=_services_port(),
        flower_port=choose_port("FLOWER_PORT", default=5555, environment=os.environ, say=OUT.print),
        broker=_broker(),
        echo=True,
    )
    with started(owner, options, {}) as urls:
        OUT.print(_summary(owner, urls))
        try:
            while True:
                owner.check()
                time.sleep(0.2)
        except KeyboardInterrupt:
            OUT.print("ending")
    return 0


def demo(owner: Owner) -> int:
    """Run orders through the whole system, with faults switched on, and check what is left of each."""
    return _run_beside_a_stack(owner, "demo.demo")


def outage(owner: Owner) -> int:
    """Take the primary payment down under orders, and show what its circuit breaker makes of it."""
    return _run_beside_a_stack(owner, "demo.outage")


def _run_beside_a_stack(owner: Owner, module: str) -> int:
    scale = os.environ.get("AMENDS_TIME_SCALE", DEMO_TIME_SCALE)
    options = StackOptions(services_port=_services_port(), broker=_broker())
    OUT.print(f"starting Redis, the services and the workers (logs in {owner.directory})")
    with started(owner, options, {"AMENDS_TIME_SCALE": scale}) as urls:
        # In a process of its own, because Celery's settings come from the environment.
        command = [sys.executable, "-m", module]
        return owner.run(command, environment={**urls, "AMENDS_TIME_SCALE": scale})


def _services_port() -> int:
    return choose_port("SERVICES_PORT", default=8080, environment=os.environ, say=OUT.print)


def _broker() -> Broker:
    wanted = os.environ.get("BROKER") or "redis"
    known = get_args(Broker)
    if wanted not in known:
        raise LocalError(f"BROKER={wanted!r}: give one of {', '.join(known)}, or unset it")
    return cast("Broker", wanted)


def _summary(owner: Owner, urls: dict[str, str]) -> str:
    return "\n".join(
        [
            "",
            "  everything is up",
            f"  services   {urls['SERVICES_URL']}/docs",
            f"  Flower     {urls['FLOWER_URL']}",
            f"  Redis      {urls['AMENDS_BACKEND']}",
            f"  `. {owner.directory / 'env'}` gives another shell these addresses",
            "  Ctrl-C ends it",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
