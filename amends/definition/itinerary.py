"""A saga's definition as data: what the log keeps, and a worker without the code needs.

A record is named by its path: ``<step>``, ``<step>:fallback``, ``<step>:undo`` or ``<step>:fallback:undo``. Messages carry
it, and the saga's id with it is the idempotency key.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Literal, Self, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from amends.definition.retry_policy import RetryPolicy
from amends.definition.serialization import canonical_json, read_stored, validation_text
from amends.errors import UnreadableData

FORMAT: Final = 1
"""The newest format of an itinerary that this release can read."""

FALLBACK: Final = ":fallback"
UNDO: Final = ":undo"

_SAGA_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(:fallback)?(:undo)?")


def is_saga_id(value: object) -> TypeGuard[str]:
    """Return whether a value may be a saga's id."""
    return isinstance(value, str) and _SAGA_ID.fullmatch(value) is not None


def is_path(value: object) -> TypeGuard[str]:
    """Return whether a value may be a record's path."""
    return isinstance(value, str) and _PATH.fullmatch(value) is not None


Sources = Mapping[str, Mapping[str, Any] | None]
"""JSON objects by the name of where they come from: ``input``, ``saga`` or a step."""


def fill(fields: Mapping[str, str], sources: Sources) -> dict[str, Any]:
    """Fill each field from its path, ``<source>.<field>``; a source that is None gives None."""
    filled: dict[str, Any] = {}
    for field, path in fields.items():
        name, _, key = path.partition(".")
        source = sources[name]
        if source is None or key in source:
            filled[field] = source and source[key]
    return filled


class _Plan(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ActivityPlan(_Plan):
    """One activity of a step: its Celery task, its limits, and where its input comes from."""

    task: str
    queue: str | None
    priority: int | None
    start_to_close_timeout: float
    max_attempts: int | None
    initial_interval: float
    max_interval: float
    backoff_coefficient: float
    jitter: float
    inputs: dict[str, str]

    @property
    def retry(self) -> RetryPolicy:
        """The retry policy, but for `non_retryable`: the classes are the activity's."""
        return RetryPolicy(
            max_attempts=self.max_attempts,
            initial_interval=self.initial_interval,
            max_interval=self.max_interval,
            backoff_coefficient=self.backoff_coefficient,
            jitter=self.jitter,
        )


class StepPlan(_Plan):
    """One step: its activity, what stands in for it, what undoes it, and what its failure means."""

    name: str
    activity: ActivityPlan
    fallback: ActivityPlan | None
    compensation: ActivityPlan | None
    on_failure: Literal["compensate", "continue"]
    outcome: dict[str, str]

    def outcome_of(self, error: type[BaseException]) -> str:
        """Name the saga's outcome when this step ends it with such an error."""
        for ancestor in error.__mro__:
            if ancestor is not object and (name := self.outcome.get(class_name(ancestor))):
                return name
        return "failed"


class RecordPlan(_Plan):
    """One record of a step: what to call, and for an undo what it takes back."""

    path: str
    step: StepPlan
    call: ActivityPlan
    compensates: ActivityPlan | None

    @property
    def compensated_path(self) -> str:
        """The path of the record that this one undoes."""
        return self.path.removesuffix(UNDO)

    @property
    def inputs(self) -> Mapping[str, str]:
        """Where the input comes from; an undo gets the input of what it undoes."""
        return (self.compensates or self.call).inputs

    def arguments(
        self, models: Sequence[type[BaseModel]], sources: Sources, compensated_output: Any
    ) -> list[Any]:
        """Build its function's arguments from stored data.

        models: of the function's parameters.
        compensated_output: output of the record that this one compensates, JSON data; None if unknown.

        Raises `UnreadableData` if the code of this process cannot read the data.
        """
        given = fill(self.inputs, sources)
        arguments: list[Any] = [read_stored(models[0], given, "input", path=self.path)]
        if self.compensates and compensated_output is None:
            arguments.append(None)
        elif self.compensates:
            what = f"output of {self.compensated_path}"
            arguments.append(read_stored(models[1], compensated_output, what, path=self.path))
        return arguments


Dispatch = Literal["chain", "inline"]
"""How the next step is reached: by a message of its own, or by the worker that did the one before."""


class Itinerary(_Plan):
    """A saga's stages, each holding one step today."""

    saga: str
    timeout: float | None
    dispatch: Dispatch = "chain"
    stages: tuple[tuple[StepPlan], ...]
    output: dict[str, str]
    #: Paths of the input's fields that the saga is found by, by name. {} is not written, which keeps older digests.
    search: dict[str, str] = Field(default_factory=dict)
    #: Format that a reader must know. 1 is not written: releases before refuse fields that they do not know.
    requires: int = Field(default=1, le=FORMAT, exclude=True)

    @cached_property
    def steps(self) -> tuple[StepPlan, ...]:
        """All steps in order."""
        return tuple(step for stage in self.stages for step in stage)

    @cached_property
    def records(self) -> Mapping[str, RecordPlan]:
        """All records by path."""
        return {record.path: record for step in self.steps for record in _records_of(step)}

    def code_of(self, path: str) -> str:
        """Tell what the scripts call a record: its step's number, f for a fallback, u for an undo."""
        record = self.records[path]
        number = self.steps.index(record.step) + 1
        return f"{number}{'f' * (FALLBACK in path)}{'u' * bool(record.compensates)}"

    @cached_property
    def json_text(self) -> str:
        """The itinerary as canonical JSON."""
        unset = set() if self.search else {"search"}
        return canonical_json(self.model_dump(mode="json", exclude=unset))

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
        """What the scripts read: the records' codes, then a line for each, in the form that ``lua/saga.lua`` tells."""
        codes = ",".join(map(self.code_of, self.records))
        return "\n".join([codes, *map(self._plan_line, self.records.values()), ""])

    def _plan_line(self, record: RecordPlan) -> str:
        numbers = {step.name: str(n) for n, step in enumerate(self.steps, 1)} | {"input": "i"}
        names = sorted({path.partition(".")[0] for path in record.inputs.values()})
        sources = ",".join(numbers[name] for name in names)
        limit = round(record.call.start_to_close_timeout * 1000)
        flag = "c" if record.step.on_failure == "continue" else ""
        return f"{record.path}|{self.code_of(record.path)}:{limit}:{sources}:{flag}"

    def source_name(self, code: str) -> str:
        """Name the source that scripts call by this code: a step's number, or i for the input."""
        return "input" if code == "i" else self.steps[int(code) - 1].name


def _records_of(step: StepPlan) -> Iterator[RecordPlan]:
    for suffix, call in (("", step.activity), (FALLBACK, step.fallback)):
        if call is None:
            continue
        path = step.name + suffix
        yield RecordPlan(path=path, step=step, call=call, compensates=None)
        if step.compensation:
            yield RecordPlan(path=path + UNDO, step=step, call=step.compensation, compensates=call)


def class_name(cls: type) -> str:
    """Name a class in the log."""
    return f"{cls.__module__}.{cls.__qualname__}"


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
