"""The list of anomalies in docs/ and the tests that are named after its rows."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LIST = (ROOT / "docs" / "anomalies.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([SOC]\d+[a-f]?) \|", LIST, flags=re.MULTILINE)
TESTS = [
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
]


def test_no_row_is_listed_twice():
    assert ROWS
    assert len(ROWS) == len(set(ROWS))


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_a_test_of_its_name(row):
    assert [name for name in TESTS if name.startswith(f"test_{row.lower()}_")]


def test_a_test_s_row_is_listed():
    named = {match[1] for name in TESTS if (match := re.match(r"test_([soc]\d+[a-f]?)_", name))}
    assert named <= {row.lower() for row in ROWS}
