"""docs/architecture.md draws what the code does."""

import re
import tomllib
from pathlib import Path

import pytest

from amends.definition.states import RECORD_MOVES, SAGA_MOVES, RecordState, SagaStatus

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ENGINE = "The floors of the engine; a new room chooses its floor"


def diagram(title):
    """Return the moves of the diagram in a section. Mermaid ends a label at a colon or semicolon."""
    _, _, section = PAGE.partition(f"\n## {title}\n")
    (text,) = re.findall(
        r"^```mermaid\nstateDiagram-v2\n(.*?)^```$",
        section.partition("\n## ")[0],
        re.MULTILINE | re.DOTALL,
    )
    moves = re.findall(r"^ +(\S+) --> (\S+)(?: : [^:;\n]+)?$", text, re.MULTILINE)
    assert len(moves) == len(text.splitlines())
    return moves


@pytest.mark.parametrize(
    ("title", "states", "moves"),
    [
        ("The states of a saga", SagaStatus, SAGA_MOVES),
        ("The states of a record", RecordState, RECORD_MOVES),
    ],
)
def test_a_diagram_shows_the_legal_moves(title, states, moves):
    drawn = diagram(title)
    assert len(drawn) == len(set(drawn))
    legal = {
        (source.value, target.value) for source, targets in moves.items() for target in targets
    }
    ends = {(state.value, "[*]") for state in states if not moves[state]}
    assert set(drawn) == legal | ends | {("[*]", "pending")}


def test_the_rooms_are_those_of_the_import_contract_in_its_order():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    (floors,) = [each["layers"] for each in contracts if each["name"] == ENGINE]
    assert "\n".join(["```", *floors, "```"]) in PAGE
    rooms = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(rooms) == sorted(room for floor in floors for room in floor.split(" | "))
