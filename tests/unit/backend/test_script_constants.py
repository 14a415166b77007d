"""What scripts and Python both go by."""

import pytest

from amends.backend.script_constants import lua_local
from amends.backend.scripts import SCRIPTS


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("LOST_AFTER", "local LOST_AFTER = 60000"),
        ("SOONER", "local SOONER = 6"),
        (
            "ATTEMPT_BOUNDS",
            "local ATTEMPT_BOUNDS = '0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30 60 300'",
        ),
    ],
)
def test_a_constant_becomes_a_local(name, line):
    assert lua_local(name) == line


@pytest.mark.parametrize(
    ("script", "name"), [("dispatch_saga", "SOONER"), ("complete_step", "SAGA_BOUNDS")]
)
def test_a_script_has_the_constants_that_its_files_take(script, name):
    assert f"\n{lua_local(name)}\n" in SCRIPTS[script]


def test_no_line_of_the_loader_is_left_for_a_constant():
    assert not [name for name, text in SCRIPTS.items() if "--! constant" in text]
