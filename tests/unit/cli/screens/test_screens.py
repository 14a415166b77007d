"""What a person sees of each command, at 80 and at 120 columns.

``SCREENS=write pytest tests/unit/cli/screens`` writes the screens anew; read the difference before it is committed.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from amends_commands import _COMMANDS
from tests.unit.cli.screens.cases import CASES

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[3]
SERVED = {"console"}  # it shows pages, not lines

pytestmark = pytest.mark.xdist_group("screens")


@pytest.fixture(scope="module", params=[80, 120])
def width(request):
    return request.param


@pytest.fixture(scope="module")
def screens(width):
    words = [sys.executable, "-m", "tests.unit.cli.screens.typed", str(width)]
    said = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    screens = json.loads(said)
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
def test_a_command_to_copy_is_never_cut(screens, name):
    for line in screens[name].splitlines()[1:]:
        at = line.find("celery -A shop.tasks saga")
        assert at < 0 or "…" not in line[at:]


def test_every_command_has_a_screen():
    assert {words[0] for words in CASES.values()} >= {*_COMMANDS} - SERVED


def test_every_screen_is_of_a_case():
    found = {path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*.txt")}
    assert found == {f"{width}/{name}.txt" for width in (80, 120) for name in CASES}
