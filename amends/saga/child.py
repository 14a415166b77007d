"""Steps that are sagas of their own."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from amends.definition.child_outputs import remember_output
from amends.definition.input_mapping import Models, checked_condition, map_inputs
from amends.definition.itinerary import Itinerary
from amends.definition.plans import STANDING, ChildPlan, StepPlan
from amends.definition.serialization import class_name
from amends.errors import DefinitionError
from amends.saga.any_step import AnyStep


class _Saga(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def input(self) -> type[BaseModel]: ...
    @property
    def output(self) -> type[BaseModel]: ...
    @property
    def itinerary(self) -> Itinerary: ...


class Child(AnyStep):
    """A step that is a saga of its own, under the id ``<saga id>.<step>``; for an item ``<saga id>.<step>.<item>``.

    Its output is that saga's. The step waits for the child's end without a message or a worker. A child that turned back has
    failed. Once this saga turns back the child is cancelled, or undone if it was completed, and this saga goes on back when
    that has ended. A child that is stuck leaves it waiting. Workers that carry this saga on have to know the child's
    definition: import its module there.

    saga: the child's definition.
    inputs: sources of fields of its input, see `Step`.
    name: name of the step, by default the child's.
    outcome: the saga's outcome if the child turns back.
    on_failure: ``"compensate"`` (the default) or ``"continue"``, see `Step`.
    when: condition, see `Step`.

    Raises `DefinitionError`.
    """

    def __init__(
        self,
        saga: _Saga,
        *,
        inputs: Mapping[str, str] | None = None,
        name: str | None = None,
        outcome: str = "failed",
        on_failure: Literal["compensate", "continue"] = "compensate",
        when: str | None = None,
    ) -> None:
        if not isinstance(getattr(saga, "itinerary", None), Itinerary):
            raise DefinitionError(f"Child({saga!r}): it takes a Saga")
        self.saga = saga
        self.name = name or saga.name
        self.inputs = dict(inputs or {})
        self.outcome = {Exception: outcome}
        self.on_failure = on_failure
        self.when = when
        self.is_final = any(step.pivot for step in saga.itinerary.steps)
        remember_output(saga.name, saga.output)
        where = f"Child {self.name!r}"
        self.check_names(where)
        if on_failure not in ("compensate", "continue"):
            raise DefinitionError(
                f"{where}: on_failure is {on_failure!r}, not 'compensate' or 'continue'"
            )
        for key in self.inputs:
            if key not in saga.input.model_fields:
                raise DefinitionError(
                    f"{where}: inputs= names {key!r}, which is no field of {saga.input.__name__}"
                )

    @property
    def output(self) -> type[BaseModel]:
        """The model of its output."""
        return self.saga.output

    def plan(
        self,
        models: Models,
        *,
        optional: frozenset[str],
        lists: Mapping[str, Any] = MappingProxyType({}),
        where: str,
    ) -> StepPlan:
        """Write the step down, see `AnyStep.plan`."""
        inputs = map_inputs(
            self.saga.input, self.inputs, models, optional=optional, lists=lists, where=where
        )
        return StepPlan(
            name=self.name,
            activity=STANDING.model_copy(update={"inputs": inputs}),
            fallback=None,
            compensation=None if self.is_final else STANDING,
            on_failure=self.on_failure,
            outcome={class_name(error): name for error, name in self.outcome.items()},
            when=None if self.when is None else checked_condition(self.when, models, where=where),
            child=ChildPlan(saga=self.saga.name),
        )
