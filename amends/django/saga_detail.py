"""The admin's page of one saga: its steps, why it stands where it is, and its history. No input and no output: they may be private."""

from collections.abc import Iterator
from typing import Any

from celery import Celery

from amends.archive.lookup import examine_saga
from amends.cli.explain import explained, is_command
from amends.cli.explanation_text import headline
from amends.cli.formatting import state_cell
from amends.cli.history import event_row
from amends.cli.output import Output
from amends.cli.step_rows import StepRows
from amends.cli.step_tree import saga_facts
from amends.diagnosis.saga.explain import explain
from amends.django.cells import html
from amends.log.queries.stage_state import at_hand
from amends.log.saga_log import log_of


class _Commands(Output):
    """Writes commands as an operator types them in a shell; those that run this page are others."""

    def command_line(self, *words: str) -> str:
        return " ".join(["celery", "-A", self.app.main or "...", "saga", *words])


class SagaDetail:
    """One saga as it stands. Raises `UnknownSaga`, `LogUnavailable`, `ConfigurationError`."""

    step_columns = ("", "step", "do", "undo")
    event_columns = ("at (UTC)", "event", "record", "details")

    def __init__(self, app: Celery, saga_id: str) -> None:
        log = log_of(app)
        self._standing = standing = examine_saga(app, saga_id)
        entry = standing.entry
        children, here = log.children.read_children(entry), at_hand(standing)
        found = explain(app, saga_id)
        self.id = saga_id
        self.saga = entry.itinerary.saga
        self.status = html(state_cell(entry.status))
        self.is_paused = entry.paused_at is not None
        self.headline = headline(found)
        self.facts = saga_facts(standing, here, children)
        self.parent = entry.parent.id if entry.parent else None
        self.children = [each.id for each in children if each.summary]
        self.steps = [[*map(html, row)] for row in StepRows(standing, here, children).rows()]
        told = explained(_Commands(app, as_json=False), found)
        self.sections = {
            title: [(line.strip(), is_command(line)) for line in lines]
            for title, lines in told.items()
        }

    @property
    def events(self) -> Iterator[list[Any]]:
        """Yield the cells of each event of its history."""
        for event in self._standing.history:
            yield [*map(html, event_row(event, dated=True))]
