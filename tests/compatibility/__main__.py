"""Run the release before and this one side by side: ``python -m tests.compatibility``.

Exit code 0: every saga ended, and did all its steps or took them back, whichever release had it in hand.
"""

import os
import signal
import sys
import time
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from demo.programs import DemoError
from tests.compatibility.run import Options, run

INTERRUPTED = 130
TERMINATED = 143


def main() -> int:
    """Run it in a folder of its own, print the verdict, return the exit code."""
    given = {
        name: os.environ[name.upper()]
        for name in Options.model_fields
        if name.upper() in os.environ
    }
    options, console = Options.model_validate(given), Console(highlight=False)
    directory = Path(".run/compatibility") / time.strftime("%Y%m%d-%H%M%S")
    directory.mkdir(parents=True)
    told = " ".join(f"{name.upper()}={value}" for name, value in options.model_dump().items())
    console.print(f"{told}; logs in {directory}")
    verdict = run(options, directory=directory.resolve(), console=console)
    verdict.print(console)
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    # As an exception, so that every context closes on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        sys.exit(main())
    except (DemoError, ValidationError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
