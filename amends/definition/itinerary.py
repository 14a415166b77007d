"""A saga's definition as data: what the log keeps, and a worker without the code needs."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Literal, Self, TypeGuard

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json

from amends.definition.paths import FALLBACK, ITEM, UNDO, VERIFY, item_of, without_item
from amends.definition.plans import ActivityPlan, Plan, StagePlan, StepPlan
from amends.definition.serialization import (
    canonical_json,
    class_name,
    fill,
    read_stored,
    validation_text,
)
from amends.definition.sources import Sources, bare, condition, is_true, item_input
from amends.errors import UnreadableData

FORMAT: Final = 3
"""The newest format of an itinerary that this release can read. 2 has stages of several branches, conditions and the point of no return, 3 waits."""

_SAGA_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[[1-9][0-9]*\])?(:fallback)?(:undo|:verify)?")


def is_saga_id(value: object) -> TypeGuard[str]:
    """Return whether a value may be a saga's id."""
    return isinstance(value, str) and _SAGA_ID.fullmatch(value) is not None


def is_path(value: object) -> TypeGuard[str]:
    """Return whether a value may be a record's path."""
    return isinstance(value, str) and _PATH.fullmatch(value) is not None


class RecordPlan(Plan):
    """One record of a step: what to call, and for an undo what it takes back, for a verification what it asks for."""

    path: str
    step: StepPlan
    call: ActivityPlan
    compensates: ActivityPlan | None
    verifies: ActivityPlan | None = None
    is_for_items: bool = False  #: Whether it has its input from an item.

    @property
    def compensated_path(self) -> str:
        """The path of the record that this one undoes, or verifies."""
        return self.path.removesuffix(UNDO).removesuffix(VERIFY)

    @property
    def inputs(self) -> Mapping[str, str]:
        """Where the input comes from; an undo and a verification get the input of what they are about."""
        return (self.compensates or self.verifies or self.call).inputs

    @property
    def paths(self) -> list[str]:
        """Where its input comes from, and its condition."""
        has_condition = self.step.when is not None and self.path == self.step.name
        until = self.step.wait.until if self.step.wait else None
        conditions = [bare(self.step.when or "")] if has_condition else []
        return [*self.inputs.values(), *conditions, *([until] if until else [])]

    def is_wanted(self, sources: Sources) -> bool:
        """Return whether its condition is true, or it has none; only what does a step has one."""
        if self.step.when is None or without_item(self.path) != self.step.name:
            return True
        if self.is_for_items:
            return condition(
                self.step.when, item_input({"": bare(self.step.when)}, sources).get("")
            )
        return is_true(self.step.when, sources)

    def arguments(
        self, models: Sequence[type[BaseModel]], sources: Sources, compensated_output: Any
    ) -> list[Any]:
        """Build its function's arguments from stored data.

        models: of the function's parameters.
        compensated_output: output of the record that this one compensates, JSON data; None if unknown.

        Raises `UnreadableData` if the code of this process cannot read the data.
        """
        filled = item_input if self.is_for_items else fill
        given = filled(self.inputs, sources)
        arguments: list[Any] = [read_stored(models[0], given, "input", path=self.path)]
        if self.compensates and compensated_output is None:
            arguments.append(None)
        elif self.compensates:
            what = f"output of {self.compensated_path}"
            arguments.append(read_stored(models[1], compensated_output, what, path=self.path))
        return arguments

    def outcome_of(self, error: type[BaseException]) -> str:
        """Name the saga's outcome when this record ends it with such an error."""
        for ancestor in error.__mro__:
            if ancestor is not object and (name := self.step.outcome.get(class_name(ancestor))):
                return name
        return "failed"


def records_of(step: StepPlan, *, is_for_items: bool = False) -> Iterator[RecordPlan]:
    """Yield the records of a step, in the order in which they run."""
    for suffix, call in (("", step.activity), (FALLBACK, step.fallback)):
        if call is None:
            continue
        path, how = step.name + suffix, {"step": step, "is_for_items": is_for_items}
        yield RecordPlan(path=path, call=call, compensates=None, **how)
        if step.compensation:
            yield RecordPlan(path=path + UNDO, call=step.compensation, compensates=call, **how)
        if step.verification:
            plan = RecordPlan(path=path + VERIFY, call=step.verification, compensates=None, **how)
            yield plan.model_copy(update={"verifies": call})


Dispatch = Literal["chain", "inline"]
"""How the next step is reached: by a message of its own, or by the worker that did the one before."""


class Itinerary(Plan):
    """A saga's stages: a step each, or several branches."""

    saga: str
    timeout: float | None
    dispatch: Dispatch = "chain"
    stages: tuple[tuple[StepPlan] | StagePlan, ...]
    output: dict[str, str]
    #: Paths of the input's fields that the saga is found by, by name. {} is not written, which keeps older digests.
    search: dict[str, str] = Field(default_factory=dict)
    #: Format that a reader must know. 1 is not written: releases before refuse fields that they do not know.
    requires: int = Field(default=1, le=FORMAT, exclude=True)

    @cached_property
    def steps(self) -> tuple[StepPlan, ...]:
        """All steps in order."""
        return tuple(
            step
            for stage in self.stages
            for step in (stage.steps if isinstance(stage, StagePlan) else stage)
        )

    @cached_property
    def wide_stages(self) -> Mapping[str, StagePlan]:
        """The stages of several branches, by what the scripts call them: p and their number."""
        return {
            f"p{n}": stage for n, stage in enumerate(self.stages, 1) if isinstance(stage, StagePlan)
        }

    @cached_property
    def first_chain(self) -> Sequence[str]:
        """The steps up to the first stage of several branches, or the first wait."""
        names: list[str] = []
        for stage in self.stages:
            if isinstance(stage, StagePlan) or stage[0].stands:
                break
            names.append(stage[0].name)
        return names

    @cached_property
    def records(self) -> Mapping[str, RecordPlan]:
        """All records by path; the path of an item's record finds it too."""
        found = _Records()
        for stage in self.stages:
            is_for_items = isinstance(stage, StagePlan) and stage.items is not None
            for step in stage.steps if isinstance(stage, StagePlan) else stage:
                for record in records_of(step, is_for_items=is_for_items):
                    found[record.path] = record
        return found

    @cached_property
    def longest_timeout(self) -> float:
        """The longest start-to-close timeout of its activities, in seconds."""
        return max(record.call.start_to_close_timeout for record in self.records.values())

    def code_of(self, path: str) -> str:
        """Tell what the scripts call a record: its step's, f for a fallback, u for an undo, v for a verification; its item before, and :."""
        record, item = self.records[path], item_of(path)
        number = self.step_codes[record.step.name]
        kind = "u" if record.compensates else "v" if record.verifies else ""
        code = f"{number}{'f' * (FALLBACK in path)}{kind}"
        return f"{item}:{code}" if item else code

    def branch_of(self, path: str) -> str:
        """Name the branch that a record is in as the scripts do: its stage, a dot and its number; '' for none."""
        step = self.records[path].step.name
        for name, stage in self.wide_stages.items():
            for k, branch in enumerate(stage.branches, 1):
                if any(each.name == step for each in branch):
                    return f"{name}.{item_of(path) or k}"
        return ""

    @cached_property
    def step_codes(self) -> Mapping[str, str]:
        """What the scripts call each step: its number, and w for a wait, k for a child."""
        return {each.name: f"{n}{each.kind}" for n, each in enumerate(self.steps, 1)}

    @cached_property
    def json_text(self) -> str:
        """The itinerary as canonical JSON."""
        unset = set() if self.search else {"search"}
        data = self.model_dump(mode="json", exclude=unset)
        return canonical_json(data if self.requires == 1 else {**data, "requires": self.requires})

    @cached_property
    def digest(self) -> str:
        """A name for exactly this itinerary."""
        return hashlib.sha256(self.json_text.encode()).hexdigest()[:16]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `json_text` wrote. Raises `UnreadableData` for a plan that only a newer release can read."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise UnreadableData(
                "a newer release of amends wrote the saga's plan; its workers run it, or upgrade amends here:"
                f" {validation_text(error)}"
            ) from error

    @property
    def is_plain(self) -> bool:
        """Whether it is a row of single steps, without conditions and the like, for which the log has scripts of its own."""
        return self.requires == 1

    def read_sources(self, pairs: Sequence[str]) -> Sources:
        """Read the JSON of sources, each after what scripts call it."""
        return {
            self.source_name(code): from_json(value)
            for code, value in zip(pairs[::2], pairs[1::2], strict=True)
        }

    def source_name(self, code: str) -> str:
        """Name the source that scripts call by this code: a step's number, i for the input, or t for an item."""
        named = {"i": "input", "t": ITEM}
        return named.get(code) or self.steps[int(code.rstrip("wk")) - 1].name


class _Records(dict[str, RecordPlan]):
    """Records by path. That of an item's record is looked up without the item."""

    def __missing__(self, path: str) -> RecordPlan:
        record = self[without_item(path)] if item_of(path) else None
        if record is None or not record.is_for_items:
            raise KeyError(path)
        return record.model_copy(update={"path": path})
