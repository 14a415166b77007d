"""The plans of a saga's steps and stages: what the log keeps, and a worker without the code needs."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from amends.definition.paths import ITEM
from amends.definition.retry_policy import RetryPolicy
from amends.definition.serialization import fill, read_stored
from amends.definition.sources import Sources, bare, is_true


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


_LAST: Final = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""Seconds since 1970 of the last end of a wait: a later one could not be shown in every time zone."""


class _Moment(BaseModel):
    at: AwareDatetime | None = None


class WaitPlan(Plan):
    """What a step waits for: for signals, or for a time, which `seconds` or `until` say."""

    count: int = 0  #: Signals that end it; 0 if a time does.
    seconds: float | None = None  #: Its longest time; None is no limit.
    until: str | None = None  #: Path of the time that ends it.

    def ends_at(self, sources: Sources, *, path: str, later: float = 0.0) -> str:
        """Tell when it ends at the latest, as ``lua/open_wait.lua`` takes it. Raises `UnreadableData`.

        path: of its record.
        later: seconds that are added to a time which signals do not end, see `spread_of`.
        """
        added = 0.0 if self.count else later
        if self.until is None:
            return "" if self.seconds is None else f"+{round((self.seconds + added) * 1000)}"
        given = fill({"at": self.until}, sources)
        moment = read_stored(_Moment, given, self.until, path=path).at
        if moment is None:
            return "+0"
        return str(round(min(moment.timestamp() + added, _LAST) * 1000))


class ChildPlan(Plan):
    """The saga that a step is: its input comes from where the step's activity says."""

    saga: str


LONGEST: Final = 3_652 * 86_400.0
"""Seconds for which anything may be told to wait: ten years."""

STANDING: Final = ActivityPlan(
    task="amends.wait",
    queue=None,
    priority=None,
    start_to_close_timeout=0.0,
    max_attempts=1,
    initial_interval=0.0,
    max_interval=0.0,
    backoff_coefficient=1.0,
    jitter=0.0,
    inputs={},
)
"""What a step has in place of an activity that waits: it is never called."""


class StepPlan(_LaterPlan):
    """One step: its activity, what stands in for it, what undoes it, and what its failure means; or what it waits for."""

    later: ClassVar[frozenset[str]] = frozenset(
        {"when", "pivot", "verification", "settle", "wait", "child"}
    )

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
    wait: WaitPlan | None = None
    child: ChildPlan | None = None

    @property
    def kind(self) -> str:
        """What the scripts put behind its number: w if it waits, k if it is a saga of its own."""
        return "w" if self.wait else "k" if self.child else ""

    @property
    def stands(self) -> bool:
        """Whether it is done without a message: it waits, or is a saga of its own."""
        return self.kind != ""

    @property
    def calls(self) -> list[ActivityPlan]:
        """Its activity, and its fallback."""
        return [call for call in (self.activity, self.fallback) if call]


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
