"""The sagas that are steps of others: the children of a saga, and what waits for a child."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from amends.definition.paths import child_id
from amends.definition.states import ENDED, RecordState, SagaStatus
from amends.log.queries.summary import SagaSummaries, SagaSummary
from amends.log.saga_state import Entry, Parent
from amends.log.store import Store


@dataclass(frozen=True, kw_only=True)
class ChildState:
    """A child of a saga.

    summary: None where there is none yet, or no more.
    children: its own, where it waits for any.
    """

    step: str  #: Path of the parent's step.
    id: str
    summary: SagaSummary | None
    children: Sequence[ChildState] = ()

    @property
    def is_live(self) -> bool:
        """Whether it is there, and has not ended."""
        return self.summary is not None and self.summary.status not in ENDED

    @property
    def is_stuck(self) -> bool:
        """Whether it waits for an operator itself."""
        return self.summary is not None and self.summary.status is SagaStatus.STUCK

    @property
    def lines(self) -> Iterator[Sequence[ChildState]]:
        """Yield the row of sagas to each that waits for no child, from this one on."""
        below = [line for each in self.children if each.is_live for line in each.lines]
        yield from ([self, *line] for line in below or [[]])

    @property
    def rank(self) -> tuple[int, float]:
        """Where it stands among its like: first what is stuck, or has such beneath it, then what was started first."""
        is_stuck = any(line[-1].is_stuck for line in self.lines)
        created = self.summary.created if self.summary else 0.0
        return (0 if is_stuck else 1 if self.is_live else 2), created


def child_ids(entry: Entry) -> Mapping[str, str]:
    """Return the ids of a saga's children by the paths of its steps; of a step that was tried again the last one's."""
    found = {}
    for step in entry.itinerary.steps if entry.itinerary.requires > 2 else ():  # noqa: PLR2004
        for path in entry.names_of(step.name) if step.child else ():
            record = entry.records[path]
            is_last = record.state in (RecordState.WAITING, RecordState.DONE)
            tries = record.tries if is_last else record.tries - 1
            if record.was_touched and tries >= 0:
                found[path] = child_id(entry.id, path, tries)
    return found


Waiting = tuple[SagaSummary, Sequence[str]]
"""A saga that waits for children, or for theirs, and the ids of those that are stuck."""


class Children:
    """Reads children of sagas. Its methods raise `LogUnavailable`."""

    def __init__(
        self, store: Store, read_sagas: Callable[[Sequence[str]], Sequence[Entry]]
    ) -> None:
        self._summaries = SagaSummaries(store)
        self._read_sagas = read_sagas

    def read_children(self, entry: Entry) -> Sequence[ChildState]:
        """Return the children of a saga in the order of its steps, and beneath each that waits for children its own.

        A saga without any costs no round trip; another one two for each generation.
        """
        return self._of_each([entry])[entry.id]

    def _of_each(self, entries: Sequence[Entry]) -> Mapping[str, Sequence[ChildState]]:
        kin = [(entry.id, *child) for entry in entries for child in child_ids(entry).items()]
        summaries = self._summaries.summarize_sagas([name for _, _, name in kin])
        found = {
            each.id: each
            for each, (parent, step, _) in zip(summaries, kin, strict=True)
            if each and each.parent == Parent(parent, step)
        }
        waiting = [
            name for name, each in found.items() if each.has_children and each.status not in ENDED
        ]
        below = self._of_each(self._read_sagas(waiting)) if waiting else {}
        children: dict[str, list[ChildState]] = {entry.id: [] for entry in entries}
        for parent, step, name in kin:
            state = ChildState(
                step=step, id=name, summary=found.get(name), children=below.get(name, ())
            )
            children[parent].append(state)
        return children

    def read_waiting(self, stuck: Iterable[SagaSummary]) -> Sequence[Waiting]:
        """Return the sagas that wait for any of these, each with the ids of those; a round trip for each generation."""
        causes: dict[str, list[str]] = {}
        found: dict[str, SagaSummary] = {}
        known = {each.id: each for each in stuck}
        level = [(each.parent.id, [name]) for name, each in known.items() if each.parent]
        while level:
            for parent, ids in level:
                told = causes.setdefault(parent, [])
                told += [each for each in ids if each not in told]
            new = [name for name in dict(level) if name not in found and name not in known]
            summaries = [each for each in self._summaries.summarize_sagas(new) if each]
            waiting = [each for each in summaries if each.has_children]
            found |= {each.id: each for each in waiting}
            level = [(each.parent.id, causes[each.id]) for each in waiting if each.parent]
        return [(each, causes[name]) for name, each in found.items()]
