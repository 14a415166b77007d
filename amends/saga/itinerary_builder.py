"""From a saga's definition to its itinerary, checked."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import get_args

from pydantic import BaseModel

from amends.definition.input_mapping import map_inputs
from amends.definition.itinerary import Dispatch, Itinerary, StepPlan
from amends.definition.losses import check_losses
from amends.definition.search_fields import check_search
from amends.errors import DefinitionError
from amends.saga.step import NAME, AnyStep


class _SagaSource(BaseModel):
    saga_id: str
    outcome: str
    error: str | None
    degraded: list[str]


def build_itinerary(
    name: str,
    saga_input: type[BaseModel],
    output: type[BaseModel],
    steps: Sequence[AnyStep],
    *,
    timeout: float | None,
    outputs: Mapping[str, str],
    dispatch: Dispatch,
    search: Mapping[str, str],
) -> Itinerary:
    """Build the itinerary that a saga's definition comes to. Raises `DefinitionError`."""
    where = f"saga {name!r}"
    if not NAME.fullmatch(name):
        raise DefinitionError(f"{where}: a name is letters, digits and _")
    if not steps:
        raise DefinitionError(f"{where} has no steps")
    if timeout is not None and not 0 < timeout < inf:
        raise DefinitionError(f"{where}: timeout is {timeout}, not a time in seconds")
    if dispatch not in get_args(Dispatch):
        raise DefinitionError(f"{where}: dispatch is {dispatch!r}, not 'chain' or 'inline'")
    check_losses(saga_input, where=f"{where}, input")
    found_by = check_search(search, saga_input, where=where)
    models: dict[str, type[BaseModel]] = {"input": saga_input}
    plans: list[StepPlan] = []
    for step in steps:
        if step.name in [plan.name for plan in plans]:
            raise DefinitionError(f"{where}: two steps are called {step.name!r}; give one a name=")
        passed_over = frozenset(plan.name for plan in plans if plan.on_failure == "continue")
        plans.append(step.plan(models, optional=passed_over, where=f"{where}, step {step.name!r}"))
        if step.activity.output is not None:
            check_losses(step.activity.output, where=f"{where}, output of step {step.name!r}")
            models[step.name] = step.activity.output
    for key in outputs.keys() - output.model_fields.keys():
        raise DefinitionError(
            f"{where}: outputs= names {key!r}, which is no field of {output.__name__}"
        )
    return Itinerary(
        saga=name,
        timeout=timeout,
        dispatch=dispatch,
        stages=tuple((plan,) for plan in plans),
        output=map_inputs(
            output,
            outputs,
            {**models, "saga": _SagaSource},
            optional=frozenset(plan.name for plan in plans),
            where=f"{where}, output",
            keyword="outputs",
        ),
        search=found_by,
    )
