"""Shapes of sagas: what the protocol depends on in a definition, and nothing else."""

from dataclasses import dataclass

from hypothesis import strategies as st

from amends.definition.itinerary import ActivityPlan, Itinerary, StepPlan

SAGA_INPUT = '{"trip":"T"}'


@dataclass(frozen=True, kw_only=True)
class StepShape:
    """One step: whether it can be undone, has a fallback, and has its failure passed over."""

    name: str
    undoable: bool = True
    fallback: bool = False
    passed_over: bool = False


@dataclass(frozen=True, kw_only=True)
class SagaShape:
    """A saga's steps in order, and whether it has a deadline."""

    steps: tuple[StepShape, ...]
    timed: bool = True

    @property
    def itinerary(self) -> Itinerary:
        """The definition that the log gets."""
        names = [step.name for step in self.steps]
        return Itinerary(
            saga="trip",
            timeout=600.0 if self.timed else None,
            stages=tuple((_plan(step, names[:k]),) for k, step in enumerate(self.steps)),
            output={},
        )


def _plan(step: StepShape, earlier: list[str]) -> StepPlan:
    # Each takes its input from the saga's and from all that came before.
    inputs = {"trip": "input.trip"} | {name: f"{name}.by" for name in earlier}

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
            inputs=inputs if task != "undo" else {},
        )

    return StepPlan(
        name=step.name,
        activity=call("do"),
        fallback=call("fallback") if step.fallback else None,
        compensation=call("undo") if step.undoable else None,
        on_failure="continue" if step.passed_over else "compensate",
        outcome={},
    )


_KINDS = st.sampled_from(
    [
        {"fallback": True},
        {},
        {"fallback": True},
        {"undoable": False},
        {"passed_over": True},
        {"fallback": True, "passed_over": True},
        {"undoable": False, "passed_over": True},
    ]
)
SHAPES = st.builds(
    lambda kinds, timed: SagaShape(
        steps=tuple(StepShape(name=f"s{k}", **kind) for k, kind in enumerate(kinds, 1)), timed=timed
    ),
    st.integers(1, 4).flatmap(lambda count: st.lists(_KINDS, min_size=count, max_size=count)),
    st.booleans(),
)
