"""Types every command on one log, in a process of its own: ``python -m tests.unit.cli.screens.typed WIDTH``.

Prints JSON: what each shows, by name. A process that runs other tests knows sagas and circuit breakers of theirs.
"""

import json
import os
import sys
from types import SimpleNamespace
from unittest import mock

from celery.bin.base import CLIContext
from click.testing import CliRunner

from amends.cli import command, output
from amends.cli.breakers import text as breakers
from amends.cli.pauses import text as pauses
from amends_commands import saga
from tests.unit.cli.screens.cases import CASES
from tests.unit.cli.screens.world import NOON, a_day_at_the_shop

PROGRAM = ["/opt/shop/bin/celery", "-A", "shop.tasks", "saga"]


def now() -> float:
    """Give the time of this machine: that of the log's clock, about."""
    return NOON + 3600.0


def typed(width: int) -> dict[str, str]:
    """Type every command on a terminal of so many columns, and return what each shows, by name."""
    os.environ["COLUMNS"] = str(width)
    output.columns_of = command.columns_of = lambda _: width
    breakers.time = SimpleNamespace(time=now)
    pauses.time = now
    screens = {}
    with a_day_at_the_shop() as (app, clock):
        for name, words in CASES.items():
            given = CLIContext(app=app, no_color=True, workdir=None)
            with mock.patch.object(sys, "argv", [*PROGRAM, *words]):
                ended = CliRunner().invoke(saga, words, obj=given, prog_name="celery saga")
            if ended.exit_code == 70:
                sys.exit(ended.output)
            clock.advance(1.0)
            line = " ".join(["$ celery -A shop.tasks saga", *words])
            screens[name] = f"{line}\n{ended.output}[{ended.exit_code}]\n"
    return screens


if __name__ == "__main__":
    print(json.dumps(typed(int(sys.argv[1]))))  # noqa: T201
