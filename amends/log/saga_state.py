"""Sagas as reads of the log return them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Self

from pydantic_core import from_json

from amends.definition.itinerary import Itinerary
from amends.definition.paths import FALLBACK
from amends.definition.plans import StepPlan
from amends.definition.sources import Sources
from amends.definition.states import RecordState, SagaStatus
from amends.log.history import Event
from amends.log.record import Record, error_frame, error_text, open_fields, state_field


class Parent(NamedTuple):
    """The saga that another one is a step of."""

    id: str
    step: str  #: Path of that step.

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """Read the field ``parent`` of a saga; None where it is empty or missing."""
        found, _, step = (text or "").partition("|")
        return cls(found, step) if found else None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A saga as it stands in the log; times are seconds since 1970 by the log's clock.

    `fields` are those of its hash, as `open_fields` returns them.
    """

    id: str
    itinerary: Itinerary
    fields: Mapping[str, str] = field(repr=False)

    @property
    def status(self) -> SagaStatus:
        """Where the saga is."""
        return SagaStatus(self.fields["status"])

    @property
    def is_forward(self) -> bool:
        """Whether it goes forward; False once it compensates."""
        return self.fields["direction"] == "forward"

    @property
    def paused_at(self) -> float | None:
        """When it was paused, None unless it is."""
        return self._time("paused")

    @property
    def created_at(self) -> float:
        """When it was started."""
        return int(self.fields["created"]) / 1000

    @property
    def begins_at(self) -> float | None:
        """When it begins, None unless its start was delayed."""
        return self._time("begins")

    @property
    def ended_at(self) -> float | None:
        """When it ended."""
        return self._time("ended")

    @property
    def deadline_at(self) -> float | None:
        """When it turns back unless it has ended; None without a timeout."""
        return self._time("deadline")

    @property
    def sent_at(self) -> float | None:
        """When the message of what comes next was to arrive, None unless one is under way."""
        return self._time("sent")

    @property
    def dispatches(self) -> int:
        """How many messages were sent for what comes next."""
        return int(self.fields["dispatches"])

    @property
    def outcome(self) -> str | None:
        """What came of it, as its definition names it; None until it is decided."""
        return self.fields.get("outcome")

    @property
    def reason(self) -> str | None:
        """Why it is stuck, None unless it is."""
        return self.fields.get("reason")

    @property
    def error(self) -> str | None:
        """Type and message of the error that turned it back."""
        return error_text(self.fields.get("error"))

    @property
    def frame(self) -> str | None:
        """Where the application raised that error, if that is known."""
        return error_frame(self.fields.get("error"))

    @property
    def parent(self) -> Parent | None:
        """The saga that it is a step of, if any."""
        return Parent.read(self.fields.get("parent"))

    @property
    def input(self) -> Any:
        """Its input, JSON data."""
        return from_json(self.fields["input"])

    @property
    def sources(self) -> Sources:
        """Its input, and by its name each step's output, None without one: JSON data."""
        found: dict[str, Any] = {"input": from_json(self.fields["input"])}
        for step in self.itinerary.steps:
            outputs = [self._output_of_step(name, step) for name in self.names_of(step.name)]
            if step.wait and step.wait.count > 1:
                found[step.name] = outputs[0] or []
            elif not self.itinerary.records[step.name].is_for_items:
                found[step.name] = outputs[0]
            elif self._items[step.name]:
                found[step.name] = outputs
            else:  # an operator's, if its list was too long
                found[step.name] = outputs[0] or []
        return found

    def _output_of_step(self, name: str, step: StepPlan) -> Any:
        fallback = self.output_of(name + FALLBACK) if step.fallback else None
        return self.output_of(name) if fallback is None else fallback

    def output_of(self, path: str) -> Any:
        """Return the output of a record, JSON data; None without one."""
        text = self.records[path].output
        return from_json(text) if text else None

    @cached_property
    def records(self) -> Mapping[str, Record]:
        """Its records by path, in the order of its itinerary; of a step for each item those of all items, once these are known."""
        found: dict[str, Record] = {}
        for path in self.itinerary.records:
            step, colon, rest = path.partition(":")
            for name in self.names_of(step):
                each = f"{name}{colon}{rest}"
                found[each] = Record.read(self._row, self.itinerary.code_of(each))
        return found

    def names_of(self, step: str) -> Sequence[str]:
        """Return what a step is called in the paths of its records: its name; one for each item ``<step>[<item>]`` and so on."""
        many = self._items.get(step)
        return [f"{step}[{item}]" for item in range(1, many + 1)] if many else [step]

    @cached_property
    def _items(self) -> Mapping[str, int]:
        """How many items each step has that is for items, 0 before that is known."""
        return {
            step.name: int(self.fields.get(f"{name}.many", 0))
            for name, stage in self.itinerary.wide_stages.items()
            if stage.items is not None
            for step in stage.steps
        }

    @cached_property
    def _row(self) -> Mapping[str, str]:
        """The fields, with the state of a stage that was left out or has no items as that of its steps."""
        of_stages = {
            state_field(self.itinerary.code_of(step.name)): self.fields[state_field(name)]
            for name, stage in self.itinerary.wide_stages.items()
            for step in stage.steps
            if self.fields.get(state_field(name)) == RecordState.OMITTED
            or (self._items.get(step.name) == 0 and state_field(name) in self.fields)
        }
        return {**self.fields, **of_stages}

    def _time(self, name: str) -> float | None:
        ms = self.fields.get(name)
        return None if ms is None else int(ms) / 1000


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A saga at one moment, with its history; times are seconds since 1970 by the log's clock."""

    entry: Entry
    now: float
    looked_at: float | None  #: When a sweep looks at it, None if none does.
    remaining: Sequence[str]  #: Paths of the records that remain, in order.
    #: Compensations that a cancel would start, if the running record takes effect.
    owed: Sequence[str]
    history: Sequence[Event]
    is_archived: bool = False  #: Whether it is read from the archive: the log has removed it.

    @property
    def events(self) -> int:
        """Number of its events; an act takes it as `seen`."""
        return sum(event.count for event in self.history)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The records that remain, by their paths: which is the first, the second and so on."""
        return {path: place for place, path in enumerate(self.remaining)}

    @property
    def last_event(self) -> Event:
        """The last event; one that stands for several may not be the last in the list."""
        return max(reversed(self.history), key=lambda event: event.at)

    @classmethod
    def read(cls, saga_id: str, itinerary: Itinerary, answer: Sequence[Any]) -> Self:
        """Read what the script answered after the itinerary."""
        now, due, remaining, owed, pairs, events = answer
        fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
        return cls(
            entry=Entry(id=saga_id, itinerary=itinerary, fields=open_fields(fields)),
            now=int(now) / 1000,
            looked_at=float(due) / 1000 if due else None,
            remaining=remaining.split(",") if remaining else (),
            owed=owed.split(",") if owed else (),
            history=[Event.from_json(text) for text in events],
        )
