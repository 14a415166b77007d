"""From a saga's definition to its itinerary, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from amends.definition.input_mapping import checked_condition, map_inputs
from amends.definition.itinerary import Dispatch, Itinerary
from amends.definition.losses import check_losses
from amends.definition.numbers import is_number
from amends.definition.paths import ITEM
from amends.definition.plans import StagePlan, StepPlan
from amends.definition.search_fields import check_search
from amends.errors import DefinitionError, did_you_mean
from amends.saga.any_step import NAME, AnyStep
from amends.saga.child import Child
from amends.saga.stage_rules import check_stages
from amends.saga.stages import Each, Parallel, Stage, steps_of


class _SagaSource(BaseModel):
    saga_id: str
    outcome: str
    error: str | None
    degraded: list[str]


@dataclass
class _Known:
    """What a step may have its input from, and which of that may be missing."""

    models: dict[str, type[BaseModel]]
    lists: dict[str, Any] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)

    def copy(self) -> "_Known":
        return _Known(dict(self.models), dict(self.lists), set(self.optional))

    def update(self, others: "_Known") -> None:
        """Let those after a stage use all that is known in it."""
        self.models.update(others.models)
        self.optional.update(others.optional)

    def add(
        self, step: AnyStep, *, where: str, is_for_items: bool = False, is_omittable: bool = False
    ) -> None:
        """Let those after a step use its output; that may be None if its stage has a condition."""
        output, may_lack = step.output, is_omittable or step.on_failure == "continue"
        if output is not None:
            check_losses(output, where=f"{where}, output of step {step.name!r}")
        if is_for_items:
            is_full = output is not None and not may_lack and step.when is None
            self.lists[step.name] = _list_of(output, is_full=is_full)
        elif output is not None and step.gives_list:
            self.lists[step.name] = _list_of(output, is_full=True)  # empty if it ended otherwise
        elif output is not None:
            self.models[step.name] = output
            if may_lack or step.when is not None:
                self.optional.add(step.name)


def build_itinerary(
    name: str,
    saga_input: type[BaseModel],
    output: type[BaseModel],
    stages: Sequence[Stage],
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
    if not stages:
        raise DefinitionError(f"{where} has no steps")
    if timeout is not None and not (is_number(timeout) and 0 < timeout < inf):
        raise DefinitionError(f"{where}: timeout is {timeout!r}, not a time in seconds")
    if dispatch not in get_args(Dispatch):
        raise DefinitionError(f"{where}: dispatch is {dispatch!r}, not 'chain' or 'inline'")
    check_losses(saga_input, where=f"{where}, input")
    check_stages(stages, where=where)
    found_by = check_search(search, saga_input, where=where)
    known = _Known({"input": saga_input})
    plans = tuple(_planned(stage, known, where=where) for stage in stages)
    for key in outputs.keys() - output.model_fields.keys():
        raise DefinitionError(
            f"{where}: outputs= names {key!r}, which is no field of {output.__name__}"
        )
    return Itinerary(
        saga=name,
        timeout=timeout,
        dispatch=dispatch,
        stages=plans,
        output=map_inputs(
            output,
            {**_own_fields(stages, known), **outputs},
            {**known.models, "saga": _SagaSource},
            optional=frozenset(known.models) - {"input"},
            # Where a saga turned back, some items have no output.
            lists={
                name: _list_of(get_args(each)[0], is_full=False)
                for name, each in known.lists.items()
            },
            where=f"{where}, output",
            keyword="outputs",
        ),
        search=found_by,
        requires=max(map(_format_of, plans)),
    )


def _own_fields(stages: Sequence[Stage], known: _Known) -> dict[str, str]:
    """Say that an outcome, which a child has as well, is the saga's own, and so each field that both have."""
    children = {step.name for step in steps_of(stages) if isinstance(step, Child)}
    others = [model for name, model in known.models.items() if name not in children]
    return {
        name: f"saga.{name}"
        for name in _SagaSource.model_fields
        if not any(name in model.model_fields for model in others)
    }


def _format_of(plan: tuple[StepPlan] | StagePlan) -> int:
    """Return the format of the itinerary that a stage takes."""
    steps = plan.steps if isinstance(plan, StagePlan) else plan
    if any(step.stands for step in steps):
        return 3
    is_new = any(step.pivot or step.when is not None or step.verification for step in steps)
    return 2 if is_new or isinstance(plan, StagePlan) else 1


def _list_of(model: Any, *, is_full: bool) -> Any:
    """Return the type of a list of outputs, in which some may be missing unless it `is_full`."""
    return list[model] if is_full or model is None else list[model | None]


def _planned(stage: Stage, known: _Known, *, where: str) -> tuple[StepPlan] | StagePlan:
    """Plan a stage, and let those after it use its outputs."""
    match stage:
        case Parallel():
            branches, outputs = [], known.copy()
            for branch in stage.branches:
                own = known.copy()
                branches.append(tuple(_step(step, own, where=where) for step in branch))
                for step in branch:
                    outputs.add(step, where=where, is_omittable=stage.when is not None)
            when = _condition(stage.when, known, where=f"{where}, Parallel")
            known.update(outputs)
            return StagePlan(branches=tuple(branches), undo=stage.undo, when=when)
        case Each():
            return _planned_each(stage, known, where=where)
        case AnyStep():
            return (_step(stage, known, where=where),)


def _step(step: AnyStep, known: _Known, *, where: str) -> StepPlan:
    plan = _plan(step, known, where=where)
    known.add(step, where=where)
    return plan


def _condition(when: str | None, known: _Known, *, where: str) -> str | None:
    return None if when is None else checked_condition(when, known.models, where=where)


def _plan(step: AnyStep, known: _Known, *, where: str) -> StepPlan:
    return step.plan(
        known.models,
        optional=frozenset(known.optional),
        lists=known.lists,
        where=f"{where}, step {step.name!r}",
    )


def _planned_each(stage: Each, known: _Known, *, where: str) -> StagePlan:
    step, of_stage = stage.step, f"{where}, Each({stage.items!r}, {stage.step.name})"
    model = _item_model(stage, known, where=of_stage)
    when = _condition(stage.when, known, where=of_stage)
    own = known.copy()
    own.models[ITEM] = model
    plan = _plan(step, own, where=where)
    known.add(step, where=where, is_for_items=True)
    return StagePlan(
        branches=((plan,),), items=stage.items, concurrency=stage.concurrency, when=when
    )


def _item_model(stage: Each, known: _Known, *, where: str) -> type[BaseModel]:
    """Return the model of the items of a list. Raises `DefinitionError` where its path names no list of a model."""
    source, _, key = stage.items.partition(".")
    if source not in known.models:
        raise DefinitionError(
            f"{where}: {stage.items} names {source!r}, which is not the input nor an earlier step with an"
            f" output{did_you_mean(source, known.models)}"
        )
    fields = known.models[source].model_fields
    if key not in fields:
        raise DefinitionError(
            f"{where}: {stage.items} names no field of {known.models[source].__name__}{did_you_mean(key, fields)}"
        )
    annotation = fields[key].annotation
    items = [each for each in get_args(annotation) if each is not Ellipsis]
    is_list = get_origin(annotation) in (list, tuple, Sequence) and len(items) == 1
    if not is_list or not isinstance(items[0], type) or not issubclass(items[0], BaseModel):
        raise DefinitionError(
            f"{where}: {stage.items} is {annotation}, and not a list of a pydantic model"
        )
    return items[0]
