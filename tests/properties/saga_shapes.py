"""Shapes of sagas: what the protocol depends on in a definition, and nothing else."""

from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import strategies as st

from amends.definition.itinerary import Itinerary
from amends.definition.plans import STANDING, ActivityPlan, ChildPlan, StagePlan, StepPlan, WaitPlan
from amends.definition.serialization import canonical_json


@dataclass(frozen=True, kw_only=True)
class StepShape:
    """One step: whether it can be undone, has a fallback, has its failure passed over, and is the point of no return."""

    name: str
    undoable: bool = True
    fallback: bool = False
    passed_over: bool = False
    pivot: bool = False
    wanted: bool = True  # what its condition says
    verified: bool = False
    wait: int | None = None  # for so many signals, 0 for a time
    child: bool = False
    has_time: bool = True  # whether a wait ends by itself

    @property
    def stands(self) -> bool:
        return self.wait is not None or self.child


@dataclass(frozen=True, kw_only=True)
class StageShape:
    """A stage: one step; or several branches, or one for each of so many items, and how many may be open at once."""

    branches: tuple[tuple[StepShape, ...], ...]
    items: int | None = None
    bound: int | None = None
    ordered: bool = False
    is_wide: bool = False

    @property
    def steps(self) -> tuple[StepShape, ...]:
        return tuple(step for branch in self.branches for step in branch)

    @property
    def rows(self) -> list[list[tuple[str, StepShape]]]:
        """The steps of each branch, each with what it is called in paths."""
        if self.items is None:
            return [[(step.name, step) for step in branch] for branch in self.branches]
        return [
            [(f"{step.name}[{k}]", step) for step in self.branches[0]]
            for k in range(1, self.items + 1)
        ]


@dataclass(frozen=True, kw_only=True)
class SagaShape:
    """A saga's stages in order, and whether it has a deadline."""

    stages: tuple[StageShape, ...]
    timed: bool = True

    @property
    def steps(self) -> tuple[StepShape, ...]:
        return tuple(step for stage in self.stages for step in stage.steps)

    @property
    def named_steps(self) -> list[tuple[str, StepShape]]:
        """All steps with what they are called in paths: those of items once each."""
        return [each for stage in self.stages for row in stage.rows for each in row]

    @property
    def input(self) -> str:
        """The saga's input: for each stage with items a list of so many."""
        lists = {
            f"list{n}": [{"n": k} for k in range(1, stage.items + 1)]
            for n, stage in enumerate(self.stages, 1)
            if stage.items is not None
        }
        return canonical_json({"trip": "T", **lists})

    @property
    def _has_shapes(self) -> bool:
        return any(stage.is_wide for stage in self.stages) or any(
            step.pivot or step.verified or not step.wanted for step in self.steps
        )

    @property
    def itinerary(self) -> Itinerary:
        """The definition that the log gets."""
        stages: list[Any] = []
        earlier: list[str] = []
        for n, stage in enumerate(self.stages, 1):
            if not stage.is_wide:
                stages.append((_plan(stage.steps[0], earlier),))
            else:
                items = f"list{n}" if stage.items is not None else None
                stages.append(
                    StagePlan(
                        branches=tuple(_plans(row, earlier, items) for row in stage.branches),
                        items=items and f"input.{items}",
                        concurrency=stage.bound,
                        undo="ordered" if stage.ordered else "together",
                    )
                )
            earlier += [step.name for step in stage.steps]
        return Itinerary(
            saga="trip",
            timeout=600.0 if self.timed else None,
            stages=tuple(stages),
            output={},
            requires=3 if any(step.stands for step in self.steps) else 2 if self._has_shapes else 1,
        )


def _plans(
    row: tuple[StepShape, ...], earlier: list[str], items: str | None
) -> tuple[StepPlan, ...]:
    """Plan a branch: each of its steps uses those before it in there, and all of earlier stages."""
    names = [step.name for step in row]
    return tuple(
        _plan(step, earlier + ([] if items else names[:k]), items) for k, step in enumerate(row)
    )


def _plan(step: StepShape, earlier: list[str], items: str | None = None) -> StepPlan:
    # Each takes its input from the saga's and from all that came before.
    inputs = {"trip": "input.trip"} | {name: f"{name}.by" for name in earlier}
    if items:
        inputs |= {"n": "item.n"}

    def call(task: str) -> ActivityPlan:
        return ActivityPlan(
            task=f"{step.name}.{task}",
            queue=None,
            priority=None,
            start_to_close_timeout=60.0,
            max_attempts=3,
            initial_interval=1.0,
            max_interval=60.0,
            backoff_coefficient=2.0,
            jitter=0.0,
            inputs=inputs if task not in ("undo", "verify") else {},
        )

    wait = None
    if step.wait is not None:
        wait = WaitPlan(count=step.wait, seconds=1000.0 if step.has_time else None)
    return StepPlan(
        name=step.name,
        activity=STANDING if wait else call("do"),
        wait=wait,
        child=ChildPlan(saga="child") if step.child else None,
        fallback=call("fallback") if step.fallback else None,
        compensation=call("undo") if step.undoable else None,
        on_failure="continue" if step.passed_over else "compensate",
        outcome={},
        when=None if step.wanted else ("item.no" if items else "input.no"),
        pivot=step.pivot,
        verification=call("verify") if step.verified else None,
    )


_PLAIN: list[dict[str, bool]] = [
    {"fallback": True},
    {},
    {"fallback": True},
    {"undoable": False},
    {"passed_over": True},
    {"fallback": True, "passed_over": True},
    {"undoable": False, "passed_over": True},
]
_KINDS = st.sampled_from(
    [
        *_PLAIN,
        {"verified": True},
        {"verified": True, "fallback": True},
        {"verified": True, "undoable": False},
        {"wanted": False},
        {"wanted": False, "fallback": True},
    ]
)
_WAITS: list[dict[str, Any]] = [
    {"wait": 1},
    {"wait": 1, "has_time": False},
    {"wait": 2},
    {"wait": 1, "passed_over": True},
    {"wait": 1, "wanted": False},
    {"wait": 0},
]
_WAITS = [{**each, "undoable": False} for each in _WAITS]
_CHILDREN: list[dict[str, Any]] = [
    {"child": True},
    {"child": True, "passed_over": True},
    {"child": True, "wanted": False},
]
_KINDS_OR_WAITS = st.one_of(_KINDS, _KINDS, st.sampled_from([*_WAITS, *_CHILDREN, *_CHILDREN]))
_SEVERAL = st.lists(st.lists(_KINDS_OR_WAITS, min_size=1, max_size=2), min_size=2, max_size=4)
_BOUND = st.sampled_from([None, None, 1, 2])


@st.composite
def _shapes(draw: st.DrawFn) -> SagaShape:
    numbers = count(1)

    def steps(kinds: list[dict[str, bool]]) -> tuple[StepShape, ...]:
        return tuple(StepShape(name=f"s{next(numbers)}", **kind) for kind in kinds)

    def stage(kind: str) -> StageShape:
        if kind == "step":
            return StageShape(branches=(steps([draw(_KINDS_OR_WAITS)]),))
        if kind == "pivot":
            kinds = {"fallback": draw(st.booleans()), "verified": draw(st.booleans())}
            return StageShape(branches=(steps([{**kinds, "pivot": True}]),))
        if kind == "branches":
            rows = tuple(steps(kinds) for kinds in draw(_SEVERAL))
            return StageShape(branches=rows, is_wide=True, ordered=draw(st.booleans()))
        row = steps([draw(st.one_of(_KINDS, st.sampled_from(_CHILDREN)))])
        items, bound = draw(st.integers(0, 4)), draw(_BOUND)
        return StageShape(branches=(row,), items=items, bound=bound, is_wide=True)

    if (
        draw(st.integers(0, 3)) == 0
    ):  # a row of single steps, for which the log has scripts of its own
        rows = draw(st.lists(st.sampled_from(_PLAIN), min_size=1, max_size=4))
        row = [StageShape(branches=(steps([kind]),)) for kind in rows]
        return SagaShape(stages=tuple(row), timed=draw(st.booleans()))
    kinds = draw(
        st.lists(st.sampled_from(["step", "step", "branches", "items"]), min_size=1, max_size=4)
    )
    if draw(st.booleans()):
        kinds.insert(draw(st.integers(0, len(kinds))), "pivot")
    return SagaShape(
        stages=tuple(map(stage, kinds)),
        timed=draw(st.booleans()),
    )


SHAPES = _shapes()
