"""What a person sees of each command, at 80 and at 120 columns.

``SCREENS=write pytest tests/unit/cli/screens`` writes the screens anew; read the difference before it is committed.
"""

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from celery.bin.base import CLIContext
from click.testing import CliRunner

from amends_commands import _COMMANDS, saga
from tests.unit.cli.screens.cases import CASES
from tests.unit.cli.screens.world import BREAKERS, NOON, a_day_at_the_shop

FOLDER = Path(__file__).parent
PROGRAM = ["/opt/shop/bin/celery", "-A", "shop.tasks", "saga"]
SERVED = {"console"}  # it shows pages, not lines

pytestmark = pytest.mark.xdist_group("screens")


def shown(width):
    """Type every command on one log, and return what each shows, by name."""
    with pytest.MonkeyPatch.context() as patched, a_day_at_the_shop() as (app, clock):
        for module in ("output", "command"):
            patched.setattr(f"amends.cli.{module}.columns_of", lambda _: width)
        patched.setattr(
            "amends.cli.breakers.text.time", SimpleNamespace(time=lambda: NOON + 3600.0)
        )
        patched.setattr("amends.cli.pauses.text.time", lambda: NOON + 3600.0)
        patched.setattr("amends.breaker.definition._defined", BREAKERS)  # not those of other tests
        patched.setenv("COLUMNS", str(width))
        screens = {}
        for name, words in CASES.items():
            patched.setattr(sys, "argv", [*PROGRAM, *words])
            given = CLIContext(app=app, no_color=True, workdir=None)
            ended = CliRunner().invoke(saga, words, obj=given, prog_name="celery saga")
            assert ended.exit_code != 70, ended.output
            clock.advance(1.0)
            typed = " ".join(["$ celery -A shop.tasks saga", *words])
            screens[name] = f"{typed}\n{ended.output}[{ended.exit_code}]\n"
        return screens


@pytest.fixture(scope="module", params=[80, 120])
def width(request):
    return request.param


@pytest.fixture(scope="module")
def screens(width):
    screens = shown(width)
    if os.environ.get("SCREENS") == "write":
        for name, text in screens.items():
            FOLDER.joinpath(str(width)).mkdir(exist_ok=True)
            FOLDER.joinpath(str(width), f"{name}.txt").write_text(text, encoding="utf-8")
    return screens


@pytest.mark.parametrize("name", CASES)
def test_a_command_shows_what_it_did_when_somebody_last_read_it(screens, width, name):
    assert screens[name] == FOLDER.joinpath(str(width), f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_no_line_is_wider_than_the_terminal_but_a_command_to_copy(screens, width, name):
    first, *lines = screens[name].splitlines()
    assert first.startswith("$ ")
    too_wide = [line for line in lines if len(line) > width]
    assert [line for line in too_wide if not re.match(r" *celery -A shop\.tasks saga ", line)] == []


@pytest.mark.parametrize("name", CASES)
def test_a_command_to_copy_has_a_line_of_its_own_or_ends_one_that_fits(screens, name):
    for line in screens[name].splitlines()[1:]:
        at = line.find("celery -A shop.tasks saga")
        assert at < 0 or "…" not in line[at:]


def test_every_command_has_a_screen():
    assert {words[0] for words in CASES.values()} >= {*_COMMANDS} - SERVED


def test_every_screen_is_of_a_case():
    found = {path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*.txt")}
    assert found == {f"{width}/{name}.txt" for width in (80, 120) for name in CASES}
