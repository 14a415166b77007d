"""``python -m tests.servers [NAME ...]``: the tests of log, breakers and backend on each Redis at hand.

NAME: of `tests.support.redis_servers`. REDIS_SERVER tells the tests, and what they start, which program to use.
"""

import os
import subprocess
import sys
from typing import Final

from tests.support.redis_servers import AT_HAND, version_of

ROOMS: Final = ("backend", "breaker", "log")


def is_sound_on(name: str) -> bool:
    """Run the tests on a server; tell whether they passed."""
    sys.stdout.write(f"{name}: {version_of(name)}\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "3", "--dist", "loadgroup"]
    command += ["-m", "not long and not servers", *(f"tests/integration/{room}" for room in ROOMS)]
    environment = {**os.environ, "REDIS_SERVER": str(AT_HAND[name])}
    return subprocess.run(command, env=environment, check=False).returncode == 0


def main(names: list[str]) -> int:
    """Run all; answer 0 where everything passed."""
    for missing in set(names) - AT_HAND.keys():
        sys.stderr.write(f"error: no {missing} here; there is {', '.join(AT_HAND)}\n")
        return 2
    results = [is_sound_on(name) for name in names or AT_HAND]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
