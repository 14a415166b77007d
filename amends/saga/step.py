"""A step of a saga: its activity, fallback and compensation."""

import re
from collections.abc import Mapping
from typing import Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel

from amends.activities.definition import Activity, Compensation
from amends.definition.input_mapping import Models, map_inputs
from amends.definition.itinerary import ActivityPlan, StepPlan, class_name
from amends.errors import DefinitionError

StepInput = TypeVar("StepInput", bound=BaseModel)
StepOutput = TypeVar("StepOutput", bound=BaseModel | None)

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What a saga, a step and an outcome may be called."""


class AnyStep:
    """What a saga needs of a step, whatever its models (as `Step[Any, Any]`, mypy would check none)."""

    name: str
    activity: Activity[Any, Any]
    compensation: Compensation[Any, Any] | None
    fallback: Activity[Any, Any] | None
    inputs: Mapping[str, str]
    outcome: Mapping[type[Exception], str]
    on_failure: Literal["compensate", "continue"]

    def plan(self, models: Models, *, optional: frozenset[str], where: str) -> StepPlan:
        """Write the step down for the saga log. Raises `DefinitionError`.

        `models` are what its input may come from; `optional` names those that may be missing.
        """
        called = [each for each in (self.activity, self.fallback) if each]
        for key in self.inputs:
            if not any(key in each.input.model_fields for each in called):
                raise DefinitionError(
                    f"{where}: inputs= names {key!r}, which is no field of {called[0].input.__name__}"
                )

        def plan(activity: Activity[Any, Any]) -> ActivityPlan:
            inputs = {
                name: path
                for name, path in self.inputs.items()
                if name in activity.input.model_fields
            }
            return activity.plan(
                map_inputs(activity.input, inputs, models, optional=optional, where=where)
            )

        return StepPlan(
            name=self.name,
            activity=plan(self.activity),
            fallback=plan(self.fallback) if self.fallback else None,
            compensation=self.compensation.plan({}) if self.compensation else None,
            on_failure=self.on_failure,
            outcome={class_name(error): name for error, name in self.outcome.items()},
        )


class Step(AnyStep, Generic[StepInput, StepOutput]):
    """One step of a saga.

    activity: the activity that does the step.
    compensation: undoes it. It has no default: a step that needs none says None.
    fallback: a second activity, called if `activity` failed for good and either had no effect or was compensated; it
        needs a compensation.
    name: name of the step, by default the activity's.
    inputs: sources of fields of the activity's input, ``input.<field>`` or ``<step>.<field>``; the other fields are
        filled by name.
    outcome: the saga's outcome if it fails here, or one for each error class.
    on_failure: ``"compensate"`` (the default) or ``"continue"``, which passes over a failure.

    Raises `DefinitionError`.
    """

    def __init__(
        self,
        activity: Activity[StepInput, StepOutput],
        *,
        compensation: Compensation[StepInput, StepOutput] | None,
        fallback: Activity[StepInput, StepOutput] | None = None,
        name: str | None = None,
        inputs: Mapping[str, str] | None = None,
        outcome: str | Mapping[type[Exception], str] = "failed",
        on_failure: Literal["compensate", "continue"] = "compensate",
    ) -> None:
        if not isinstance(activity, Activity):
            raise DefinitionError(
                f"a step's activity is {activity!r}: give a function of one parameter, decorated with @activity"
            )
        self.activity: Activity[StepInput, StepOutput] = activity
        self.compensation: Compensation[StepInput, StepOutput] | None = compensation
        self.fallback: Activity[StepInput, StepOutput] | None = fallback
        self.name = name or activity.name.rpartition(".")[2]
        self.inputs = dict(inputs or {})
        self.outcome = {Exception: outcome} if isinstance(outcome, str) else dict(outcome)
        self.on_failure = on_failure
        self._check(f"step {self.name!r}")

    def _check(self, where: str) -> None:
        if not NAME.fullmatch(self.name) or self.name in ("input", "saga"):
            raise DefinitionError(
                f"{where}: a name is letters, digits and _, and not 'input' or 'saga'"
            )
        if self.on_failure not in ("compensate", "continue"):
            raise DefinitionError(
                f"{where}: on_failure is {self.on_failure!r}, not 'compensate' or 'continue'"
            )
        for outcome in self.outcome.values():
            if not NAME.fullmatch(outcome) or outcome == "completed":
                raise DefinitionError(
                    f"{where}: the outcome {outcome!r} of a failure is not letters, digits and _,"
                    " or is 'completed'"
                )
        if self.compensation is not None:
            self._check_compensation(where, self.compensation)
        if self.fallback is not None:
            self._check_fallback(where, self.fallback)

    def _check_compensation(self, where: str, compensation: object) -> None:
        activity = self.activity
        if not isinstance(compensation, Compensation):
            raise DefinitionError(
                f"{where}: {compensation!r} is no compensation, which is an @activity of two parameters:"
                " the step's input, and its output or None"
            )
        if not issubclass(activity.input, compensation.input):
            raise DefinitionError(
                f"{where}: {compensation.name} takes {compensation.input.__name__},"
                f" and {activity.name} that it undoes takes {activity.input.__name__}"
            )
        if activity.output is not None and not compensation.takes(activity.output):
            raise DefinitionError(
                f"{where}: {compensation.name} cannot take the {activity.output.__name__}"
                f" of {activity.name} that it undoes"
            )

    def _check_fallback(self, where: str, fallback: object) -> None:
        activity, compensation = self.activity, self.compensation
        if compensation is None:
            raise DefinitionError(
                f"{where}: a step with a fallback needs a compensation, or the fallback could double an"
                f" effect of {activity.name} that nobody knows of"
            )
        if not isinstance(fallback, Activity):
            raise DefinitionError(f"{where}: the fallback {fallback!r} is no activity")
        if fallback.name == activity.name:
            raise DefinitionError(f"{where}: {fallback.name} is its own fallback")
        if fallback.output is not activity.output or not issubclass(
            fallback.input, compensation.input
        ):
            raise DefinitionError(
                f"{where}: {fallback.name} must return what {activity.name} returns, and take what"
                f" {compensation.name} can undo"
            )
