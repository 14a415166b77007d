"""A step of a saga: its activity, fallback and compensation."""

from collections.abc import Mapping
from enum import Enum
from math import inf
from types import MappingProxyType
from typing import Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel

from amends.activities.definition import Activity, Compensation
from amends.definition.input_mapping import Models, checked_condition, map_inputs
from amends.definition.numbers import is_number
from amends.definition.plans import ActivityPlan, StepPlan
from amends.definition.serialization import class_name
from amends.errors import DefinitionError
from amends.saga.any_step import AnyStep

StepInput = TypeVar("StepInput", bound=BaseModel)
StepOutput = TypeVar("StepOutput", bound=BaseModel | None)


class Unsaid(Enum):
    """What an argument is by default where None says something."""

    UNSAID = "left out"


UNSAID: Final = Unsaid.UNSAID


class Step(AnyStep, Generic[StepInput, StepOutput]):
    """One step of a saga.

    activity: the activity that does the step.
    compensation: undoes it. A step that needs none says None; it may be left out past the saga's point of no return alone.
    fallback: a second activity, called if `activity` failed for good and either had no effect or was compensated; it
        needs a compensation.
    name: name of the step, by default the activity's.
    inputs: sources of fields of the activity's input, ``input.<field>`` or ``<step>.<field>``; the other fields are
        filled by name.
    outcome: the saga's outcome if it fails here, or one for each error class.
    on_failure: ``"compensate"`` (the default) or ``"continue"``, which passes over a failure.
    when: path of a boolean, ``input.<field>`` or ``<step>.<field>``, perhaps after ``not``: where that is false the step is
        skipped, and its output is None.
    pivot: whether it is the saga's point of no return. Once it took effect, or may have, the saga turns back no more: it
        cannot be cancelled, its deadline is only noted, and a step that fails for good waits for an operator.
    verify: for a receiver that ignores idempotency keys. An activity that is asked after an attempt of whose effect nobody
        knows, before anything else is done about it: it gets the step's input, and in ``context().verifies`` what it asks
        for. It returns the step's output if that took effect and None if it did not; while it raises nobody knows. If it fails
        for good the saga waits for an operator.
    settle: seconds that the receiver takes to know; it is asked no sooner.

    Raises `DefinitionError`.
    """

    def __init__(  # noqa: PLR0913 - each says one thing of the step
        self,
        activity: Activity[StepInput, StepOutput],
        *,
        compensation: Compensation[StepInput, StepOutput] | Unsaid | None = UNSAID,
        fallback: Activity[StepInput, StepOutput] | None = None,
        name: str | None = None,
        inputs: Mapping[str, str] | None = None,
        outcome: str | Mapping[type[Exception], str] = "failed",
        on_failure: Literal["compensate", "continue"] = "compensate",
        when: str | None = None,
        pivot: bool = False,
        verify: Activity[StepInput, StepOutput | None] | None = None,
        settle: float = 0.0,
    ) -> None:
        if not isinstance(activity, Activity):
            raise DefinitionError(
                f"a step's activity is {activity!r}: give a function of one parameter, decorated with @activity"
            )
        self.activity: Activity[StepInput, StepOutput] = activity
        self.says_compensation = compensation is not UNSAID
        self.compensation: Compensation[StepInput, StepOutput] | None = (
            None if isinstance(compensation, Unsaid) else compensation
        )
        self.fallback: Activity[StepInput, StepOutput] | None = fallback
        self.name = name or activity.name.rpartition(".")[2]
        self.inputs = dict(inputs or {})
        self.outcome = {Exception: outcome} if isinstance(outcome, str) else dict(outcome)
        self.on_failure = on_failure
        self.when = when
        self.pivot = pivot
        self.verification = verify
        self.settle = settle
        self._check(f"step {self.name!r}")

    @property
    def output(self) -> type[BaseModel] | None:
        """The model of its output, None if it has none."""
        return self.activity.output

    def plan(
        self,
        models: Models,
        *,
        optional: frozenset[str],
        lists: Mapping[str, Any] = MappingProxyType({}),
        where: str,
    ) -> StepPlan:
        """Write the step down, see `AnyStep.plan`."""
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
                map_inputs(
                    activity.input, inputs, models, optional=optional, lists=lists, where=where
                )
            )

        return StepPlan(
            name=self.name,
            activity=plan(self.activity),
            fallback=plan(self.fallback) if self.fallback else None,
            compensation=self.compensation.plan({}) if self.compensation else None,
            on_failure=self.on_failure,
            outcome={class_name(error): name for error, name in self.outcome.items()},
            when=None if self.when is None else checked_condition(self.when, models, where=where),
            pivot=self.pivot,
            verification=self.verification.plan({}) if self.verification else None,
            settle=self.settle,
        )

    def _check(self, where: str) -> None:
        self.check_names(where)
        if self.on_failure not in ("compensate", "continue"):
            raise DefinitionError(
                f"{where}: on_failure is {self.on_failure!r}, not 'compensate' or 'continue'"
            )
        if self.pivot and self.on_failure == "continue":
            raise DefinitionError(
                f"{where}: it is the point of no return, and passes over its failure: one excludes the other"
            )
        if self.compensation is not None:
            self._check_compensation(where, self.compensation)
        if self.fallback is not None:
            self._check_fallback(where, self.fallback)
        self._check_verification(where, self.verification)

    def _check_verification(self, where: str, verification: object) -> None:
        activity = self.activity
        for each in filter(None, (activity, self.fallback)):
            if each.may_return_none:
                raise DefinitionError(
                    f"{where}: {each.name} returns a model or None, which a step's verify= does alone; say one of them"
                )
        if not (is_number(self.settle) and 0 <= self.settle < inf):
            raise DefinitionError(f"{where}: settle is {self.settle!r}, not a time in seconds")
        if verification is None:
            if self.settle:
                raise DefinitionError(
                    f"{where}: settle= is a time before verify=, which is not said"
                )
            return
        if not isinstance(verification, Activity) or not verification.may_return_none:
            raise DefinitionError(
                f"{where}: verify= is {verification!r}: give an @activity that returns what {activity.name} returns, or None"
            )
        if activity.output is None or verification.output is not activity.output:
            raise DefinitionError(
                f"{where}: {verification.name} must return what {activity.name} returns, or None where that had no effect;"
                f" {activity.name} returns {activity.output and activity.output.__name__}"
            )
        takes = all(
            issubclass(each.input, verification.input) for each in (activity, self.fallback) if each
        )
        if not takes:
            raise DefinitionError(
                f"{where}: {verification.name} takes {verification.input.__name__}, which is not what the step takes"
            )

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
