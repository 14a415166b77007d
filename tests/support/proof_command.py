"""The command line of a proof that runs for minutes: options from the environment, a folder of its own, a verdict."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

from pydantic import BaseModel, ValidationError
from rich.console import Console

from demo.programs import DemoError

INTERRUPTED = 130
TERMINATED = 143

Options = TypeVar("Options", bound=BaseModel)


class Verdict(Protocol):
    """What a proof found."""

    @property
    def passed(self) -> bool: ...
    def print(self, console: Console) -> Any: ...


def carry_out(name: str, options: type[Options], run: Callable[..., Verdict]) -> NoReturn:
    """Run a proof in a folder of its own, print its verdict, and end with the exit code.

    run: takes the options, and ``directory`` and ``console``.
    """
    # As an exception, so that every context closes on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        sys.exit(0 if _verdict(name, options, run).passed else 1)
    except (DemoError, ValidationError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _verdict(name: str, options: type[Options], run: Callable[..., Verdict]) -> Verdict:
    given = {
        name: os.environ[name.upper()]
        for name in options.model_fields
        if name.upper() in os.environ
    }
    chosen, console = options.model_validate(given), Console(highlight=False)
    directory = Path(".run") / name / time.strftime("%Y%m%d-%H%M%S")
    directory.mkdir(parents=True)
    told = " ".join(f"{name.upper()}={value}" for name, value in chosen.model_dump().items())
    console.print(f"{told}; logs in {directory}")
    verdict = run(chosen, directory=directory.resolve(), console=console)
    verdict.print(console)
    return verdict
