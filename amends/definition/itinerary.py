"""A saga's definition as data: what the log keeps, and a worker without the code needs."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, Literal, Self, TypeGuard

from pydantic import Field, ValidationError
from pydantic_core import from_json

from amends.definition.paths import FALLBACK, ITEM, item_of, without_item
from amends.definition.plans import Plan, RecordPlan, StagePlan, StepPlan, records_of
from amends.definition.serialization import canonical_json, validation_text
from amends.definition.sources import Sources
from amends.errors import UnreadableData

FORMAT: Final = 2
"""The newest format of an itinerary that this release can read. 2 has stages of several branches, conditions and the point of no return."""

_SAGA_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[[1-9][0-9]*\])?(:fallback)?(:undo|:verify)?")


def is_saga_id(value: object) -> TypeGuard[str]:
    """Return whether a value may be a saga's id."""
    return isinstance(value, str) and _SAGA_ID.fullmatch(value) is not None


def is_path(value: object) -> TypeGuard[str]:
    """Return whether a value may be a record's path."""
    return isinstance(value, str) and _PATH.fullmatch(value) is not None


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
        """The steps up to the first stage of several branches."""
        names: list[str] = []
        for stage in self.stages:
            if isinstance(stage, StagePlan):
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
        """Tell what the scripts call a record: its step's number, f for a fallback, u for an undo, v for a verification; its item before, and :."""
        record, item = self.records[path], item_of(path)
        number = self._numbers[record.step.name]
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
    def _numbers(self) -> Mapping[str, int]:
        return {step.name: n for n, step in enumerate(self.steps, 1)}

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

    @cached_property
    def plan(self) -> str:
        """What the scripts read: the records of the line in order, then a line for each, in the form that ``lua/saga.lua`` tells."""
        line: list[str] = []
        lines: list[str] = []
        for n, stage in enumerate(self.stages, 1):
            if isinstance(stage, StagePlan):
                line += [f"p{n}", f"p{n}u"]
                lines += self._stage_lines(n, stage)
            else:
                line += [self.code_of(record.path) for record in records_of(stage[0])]
                lines += map(self._plan_line, records_of(stage[0]))
        if self.requires > 1:
            lines.append(f"#requires|{self.requires}")
        return "\n".join([",".join(line), *lines, ""])

    @property
    def is_plain(self) -> bool:
        """Whether it is a row of single steps, without conditions and the like, for which the log has scripts of its own."""
        return self.requires == 1

    def _stage_lines(self, n: int, stage: StagePlan) -> Iterator[str]:
        many = 0 if stage.items else len(stage.branches)
        flag = "o" if stage.undo == "ordered" else ""
        sources = self._sources(stage.sources)
        yield f"stage {n}|p{n}:{many}:{sources}:{flag}:{stage.concurrency or 0}"
        for k, branch in enumerate(stage.branches, 1):
            number = "" if stage.items else str(k)
            records = [
                record
                for step in branch
                for record in records_of(step, is_for_items=stage.items is not None)
            ]
            yield f"#p{n}.{number}|{','.join(self.code_of(record.path) for record in records)}"
            for record in records:
                yield f"{self._plan_line(record)}:p{n}.{number}"

    def _sources(self, paths: Iterable[str]) -> str:
        names = sorted({path.partition(".")[0] for path in paths} - {ITEM})
        return ",".join("i" if name == "input" else str(self._numbers[name]) for name in names)

    def _plan_line(self, record: RecordPlan) -> str:
        sources = "t" if record.is_for_items else self._sources(record.paths)
        limit = round(record.call.start_to_close_timeout * 1000)
        flag = "c" if record.step.on_failure == "continue" else "n" if record.step.pivot else ""
        flag = "" if record.verifies else flag
        line = f"{record.path}|{self.code_of(record.path)}:{limit}:{sources}:{flag}"
        return f"{line}:{round(record.step.settle * 1000)}" if record.verifies else line

    def read_sources(self, pairs: Sequence[str]) -> Sources:
        """Read the JSON of sources, each after what scripts call it."""
        return {
            self.source_name(code): from_json(value)
            for code, value in zip(pairs[::2], pairs[1::2], strict=True)
        }

    def source_name(self, code: str) -> str:
        """Name the source that scripts call by this code: a step's number, i for the input, or t for an item."""
        named = {"i": "input", "t": ITEM}
        return named.get(code) or self.steps[int(code) - 1].name


class _Records(dict[str, RecordPlan]):
    """Records by path. That of an item's record is looked up without the item."""

    def __missing__(self, path: str) -> RecordPlan:
        record = self[without_item(path)] if item_of(path) else None
        if record is None or not record.is_for_items:
            raise KeyError(path)
        return record.model_copy(update={"path": path})


class Itineraries:
    """A cache of itineraries that this process has written or read, by digest: the log sends it only the others."""

    def __init__(self) -> None:
        self._itineraries: dict[str, Itinerary] = {}

    def __contains__(self, digest: str) -> bool:
        return digest in self._itineraries

    def known(self) -> str:
        """Return all digests, joined by commas, as the scripts take them."""
        return ",".join(self._itineraries)

    def add(self, itinerary: Itinerary) -> None:
        """Keep an itinerary."""
        self._itineraries[itinerary.digest] = itinerary

    def read(self, digest: str, text: str) -> Itinerary:
        """Return an itinerary by its digest. `text` is its JSON, and may be '' if the cache has it."""
        if digest not in self._itineraries:
            self._itineraries[digest] = Itinerary.from_json(text)
        return self._itineraries[digest]
