"""The plans of a saga's steps, records and stages: what the log keeps, and a worker without the code needs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from amends.definition.paths import FALLBACK, ITEM, UNDO, VERIFY, without_item
from amends.definition.retry_policy import RetryPolicy
from amends.definition.serialization import read_stored
from amends.definition.sources import Sources, bare, condition, fill, is_true, item_input


class Plan(BaseModel):
    """Data of a definition; fields of a later release are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ActivityPlan(Plan):
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


class _LaterPlan(Plan):
    """A plan with fields that older releases did not write: not written where they say what was so before."""

    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_later(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        written: dict[str, Any] = write(self)
        return {
            name: value
            for name, value in written.items()
            if name not in self.later or value != fields[name].default
        }


class StepPlan(_LaterPlan):
    """One step: its activity, what stands in for it, what undoes it, and what its failure means."""

    later: ClassVar[frozenset[str]] = frozenset({"when", "pivot", "verification", "settle"})

    name: str
    activity: ActivityPlan
    fallback: ActivityPlan | None
    compensation: ActivityPlan | None
    on_failure: Literal["compensate", "continue"]
    outcome: dict[str, str]
    when: str | None = None  #: Path of its condition, perhaps after ``not``.
    pivot: bool = False
    verification: ActivityPlan | None = None
    settle: float = 0.0  #: Seconds until the first question.

    @property
    def calls(self) -> list[ActivityPlan]:
        """Its activity, and its fallback."""
        return [call for call in (self.activity, self.fallback) if call]

    def outcome_of(self, error: type[BaseException]) -> str:
        """Name the saga's outcome when this step ends it with such an error."""
        for ancestor in error.__mro__:
            if ancestor is not object and (name := self.outcome.get(class_name(ancestor))):
                return name
        return "failed"


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
        return [*self.inputs.values(), *([bare(self.step.when or "")] if has_condition else [])]

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


Undo = Literal["together", "ordered"]
"""How the branches of a stage are undone: all at once, or one after the other in reverse order of their first claim."""


class StagePlan(_LaterPlan):
    """A stage of several branches, each a row of steps: those of its definition, or one for each item of a list."""

    later: ClassVar[frozenset[str]] = frozenset({"when"})

    branches: tuple[tuple[StepPlan, ...], ...]  #: One if it is for items.
    items: str | None = None  #: Path of the list, ``<source>.<field>``.
    concurrency: int | None = None  #: How many branches may be open at once.
    undo: Undo = "together"
    when: str | None = None  #: Path of its condition, perhaps after ``not``.

    @property
    def steps(self) -> tuple[StepPlan, ...]:
        """All steps in order."""
        return tuple(step for branch in self.branches for step in branch)

    @property
    def sources(self) -> list[str]:
        """The paths by which its branches are known: of its condition, its list, and of what its items get, sorted."""
        condition = [] if self.when is None else [bare(self.when)]
        return sorted({*condition, *self._item_paths, *([self.items] if self.items else [])})

    @property
    def _item_paths(self) -> set[str]:
        """The paths of what its items get."""
        if self.items is None:
            return set()
        found = {
            path for step in self.steps for call in step.calls for path in call.inputs.values()
        }
        return found | {bare(step.when) for step in self.steps if step.when is not None}

    def branches_of(self, sources: Sources) -> list[dict[str, Any]] | None:
        """Return what the records of each branch have for their input, None if its condition is false."""
        if self.when is not None and not is_true(self.when, sources):
            return None
        return [{} for _ in self.branches] if self.items is None else self._items_of(sources)

    def _items_of(self, sources: Sources) -> list[dict[str, Any]]:
        source, _, key = (self.items or "").partition(".")
        items: list[dict[str, Any]] = (sources[source] or {}).get(key) or []
        own = {path: path for path in self._item_paths if path.partition(".")[0] == ITEM}
        others = {path: path for path in self._item_paths - own.keys()}
        common = fill(others, sources)
        return [{**common, **fill(own, {ITEM: item})} for item in items]


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


def class_name(cls: type) -> str:
    """Name a class in the log."""
    return f"{cls.__module__}.{cls.__qualname__}"
