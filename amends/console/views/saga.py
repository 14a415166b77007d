"""One saga, as its page shows it."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

from celery import Celery

from amends.cli.explanation_reasons import reasons
from amends.cli.explanation_text import headline, prospects
from amends.cli.history import event_row
from amends.cli.step_rows import StepRows
from amends.cli.step_tree import saga_facts
from amends.cli.table import Cell
from amends.console.reads import Examined
from amends.console.views.attempts import Failures, failures_of
from amends.console.views.time_line import TimeLine
from amends.diagnosis.saga.payloads import payloads_of
from amends.log.queries.stage_state import at_hand

_TRACE: Final = re.compile(r"traceparent\W+00-([0-9a-f]{32})-")
_MOST_EVENTS: Final = 500


class SagaView:
    """A saga at one moment.

    examined: what was read of it.
    """

    def __init__(self, examined: Examined) -> None:
        standing, children, found = examined.standing, examined.children, examined.explanation
        self.standing = standing
        self._children = children
        self.line = TimeLine(examined.times)
        self.found = found
        entry = standing.entry
        self.id = entry.id
        self.saga = entry.itinerary.saga
        self.status = entry.status
        self.is_paused = entry.paused_at is not None
        self.parent = entry.parent
        self.headline = headline(found)
        self.reasons = [*reasons(found)]
        self.prospects = [*prospects(found)]
        here = at_hand(standing)
        self.facts = saga_facts(standing, here, children)
        rows = StepRows(standing, here, children).rows()
        self.steps = [StepRow(row) for row in rows]

    @property
    def children(self) -> list[str]:
        """The ids of its children that are in the log."""
        return [each.id for each in self._children if each.summary]

    @property
    def causes(self) -> list[str]:
        """The ids of the sagas beneath it that keep it from going on."""
        return [each.id for each in self.found.causes]

    @cached_property
    def failures(self) -> Sequence[Failures]:
        """Its attempts that failed, folded."""
        return failures_of(self.standing.history)

    @property
    def events(self) -> list[list[str]]:
        """The cells of the last events of its history, in order."""
        last = self.standing.history[-_MOST_EVENTS:]
        return [[cell.text for cell in event_row(event, dated=True)] for event in last]

    @property
    def left_out(self) -> int:
        """How many events before those are not shown."""
        return max(0, len(self.standing.history) - _MOST_EVENTS)

    def payloads(self, app: Celery) -> Mapping[str, str]:
        """Return its input, and the outputs by record, as indented JSON without secrets."""
        given = payloads_of(app, self.standing, with_input=True, with_output=True)
        found: dict[str, Any] = {"input": given["input"], **given["outputs"]}
        return {
            name: json.dumps(value, indent=2, ensure_ascii=False) for name, value in found.items()
        }

    def links(self, templates: Mapping[str, str]) -> Mapping[str, str]:
        """Return what links lead to by their texts; one that needs a trace is left out without one."""
        trace = _TRACE.search(self.standing.entry.fields.get("trace", ""))
        known = {"{saga_id}": quote(self.id, safe=""), "{trace_id}": trace[1] if trace else None}
        found = {}
        for text, url in templates.items():
            if "{trace_id}" in url and trace is None:
                continue
            for name, value in known.items():
                url = url.replace(name, value or "")  # noqa: PLW2901 - one after the other
            found[text] = url
        return found


class StepRow:
    """A row of the steps: whether it is at hand, where it is drawn, and its cells of do and undo."""

    def __init__(self, row: Sequence[Cell | str]) -> None:
        mark, name, *cells = [each if isinstance(each, Cell) else Cell(each) for each in row]
        self.is_here = bool(mark.text)
        text = name.text
        self.place = (
            "begins" if text.startswith("+ ") else "goes-on" if text.startswith("| ") else ""
        )
        shown = text.removeprefix("+ ").removeprefix("| ")
        bare = shown.lstrip()
        self.depth = (len(shown) - len(bare)) // 2
        self.child = bare.removeprefix("-> ").partition(" ")[0] if bare.startswith("-> ") else ""
        self.name = bare
        self.is_heading = not self.child and bool(name.style.get("dim"))
        self.cells = cells
