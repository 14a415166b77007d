"""How many statements a call costs: those that docs/barrier.md says."""

import re
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from amends.barrier import barrier, undoing
from tests.support.receivers import SQLAlchemyReceiver

PAGE = (Path(__file__).parents[3] / "docs" / "barrier.md").read_text(encoding="utf-8")


@pytest.fixture
def statements(tmp_path):
    """Give the statements that were run since the fixture."""
    receiver = SQLAlchemyReceiver(f"sqlite:///{tmp_path / 'receiver.sqlite3'}")
    run = []

    @event.listens_for(receiver.engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, *_):
        run.append(statement)

    with Session(receiver.engine) as session:
        yield session, run
    receiver.close()


def test_a_call_costs_the_statements_that_the_page_says(statements, key):
    session, run = statements

    def cost(block, at=key, answer=None):
        run.clear()
        with block(session, at) as entered:
            if answer:
                entered.keep(answer)
        return len(run)

    assert "\n".join(
        [
            f"| a first call | {cost(barrier)} |",
            f"| a duplicate | {cost(barrier)} |",
            f"| an undo | {cost(undoing)} |",
            f"| a null undo | {cost(undoing, f'{key}:null')} |",
        ]
    ) in re.sub(r" +", " ", PAGE)
    assert cost(barrier, f"{key}:2", "kept") == cost(barrier, f"{key}:3")
