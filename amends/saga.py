"""Sagas as people write them: steps in order, what undoes each, and what a failure is called."""

import logging
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Generic, Literal, TypeVar

from celery import current_app
from kombu.exceptions import OperationalError
from pydantic import BaseModel

from amends.activities.definition import Activity, Compensation
from amends.answers import Publish
from amends.coordinator import advance, publish
from amends.errors import DefinitionError
from amends.handle import Handle
from amends.itinerary import ActivityPlan, Itinerary, StepPlan, class_name
from amends.log import log_of
from amends.payload import canonical_json, validated
from amends.states import SagaStatus
from amends.wiring import wire

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)
StepInput = TypeVar("StepInput", bound=BaseModel)
StepOutput = TypeVar("StepOutput", bound=BaseModel | None)

_SAGA_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_logger = logging.getLogger(__name__)


class _SagaSource(BaseModel):
    saga_id: str
    outcome: str
    error: str | None


class Step(Generic[StepInput, StepOutput]):
    """One step of a saga.

    `compensation` undoes it and has no default: a step that needs no undo says None. `fallback` is
    called when `activity` failed for good and certainly took no effect, or its effect was undone; it
    needs a compensation. `name` is the activity's unless given. `inputs` says for fields of the
    activity's input where they come from, ``input.<field>`` or ``<step>.<field>``; the others are found
    by name. `outcome` is what the saga's failure here is called, or a name for each error class.
    With ``on_failure="continue"`` a failure is passed over. Raises `DefinitionError`.
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
        self.activity = activity
        self.compensation = compensation
        self.fallback = fallback
        self.name = name or activity.name.rpartition(".")[2]
        self.inputs = dict(inputs or {})
        self.outcome = {Exception: outcome} if isinstance(outcome, str) else dict(outcome)
        self.on_failure = on_failure
        self._check()

    def _check(self) -> None:
        where = f"step {self.name!r}"
        activity, compensation, fallback = self.activity, self.compensation, self.fallback
        if not _NAME.fullmatch(self.name) or self.name in ("input", "saga"):
            raise DefinitionError(
                f"{where}: a name is letters, digits and _, and not 'input' or 'saga'"
            )
        if self.on_failure not in ("compensate", "continue"):
            raise DefinitionError(
                f"{where}: on_failure is {self.on_failure!r}, not 'compensate' or 'continue'"
            )
        if not isinstance(activity, Activity):
            raise DefinitionError(
                f"{where}: {activity!r} is no activity; decorate its function with @activity"
            )
        if compensation is not None and not isinstance(compensation, Compensation):
            raise DefinitionError(
                f"{where}: {compensation!r} is no compensation, which is an @activity of two parameters:"
                " the step's input, and its output or None"
            )
        if compensation is not None:
            self._check_compensation(where, compensation)
        if fallback is not None:
            self._check_fallback(where, fallback)

    def _check_compensation(
        self, where: str, compensation: Compensation[StepInput, StepOutput]
    ) -> None:
        if not issubclass(self.activity.input, compensation.input):
            raise DefinitionError(
                f"{where}: {compensation.name} takes {compensation.input.__name__},"
                f" and {self.activity.name} that it undoes takes {self.activity.input.__name__}"
            )

    def _check_fallback(self, where: str, fallback: Activity[StepInput, StepOutput]) -> None:
        if self.compensation is None:
            raise DefinitionError(
                f"{where}: a step with a fallback needs a compensation, or the fallback could double an"
                f" effect of {self.activity.name} that nobody knows of"
            )
        if not isinstance(fallback, Activity):
            raise DefinitionError(f"{where}: the fallback {fallback!r} is no activity")
        if fallback.name == self.activity.name:
            raise DefinitionError(f"{where}: {fallback.name} is its own fallback")
        if fallback.output is not self.activity.output or not issubclass(
            fallback.input, self.compensation.input
        ):
            raise DefinitionError(
                f"{where}: {fallback.name} must return what {self.activity.name} returns, and take what"
                f" {self.compensation.name} can undo"
            )


class Saga(Generic[Input, Output]):
    """A saga's definition: its steps in order, its input, and its output.

    `output` is filled by field name from the saga's input, the outputs of its done steps, and
    ``saga_id``, ``outcome`` and ``error``; `outputs` says where a field comes from that several have,
    as ``input.<field>``, ``<step>.<field>`` or ``saga.<field>``. A field that comes from a step must
    allow None. `timeout` is in seconds. Raises `DefinitionError`.
    """

    def __init__(
        self,
        name: str,
        *,
        input: type[Input],  # noqa: A002 - the word that a reader expects
        output: type[Output],
        steps: Sequence[Step[Any, Any]],
        timeout: float | None = None,
        outputs: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.input = input
        self.output = output
        self.itinerary = _itinerary(name, input, output, steps, timeout, outputs or {})

    def __repr__(self) -> str:
        return f"<Saga {self.name}>"

    def start(self, saga_input: Input, *, saga_id: str | None = None) -> Handle[Output]:
        """Start a saga and return its handle; the same id and input give the same saga.

        Without `saga_id` each call starts another one. Raises `SagaAlreadyStarted` where the id
        belongs to another saga, ``ValueError`` for an id outside of the pattern, and `LogUnavailable`.
        With the broker away it returns the handle with a warning: the saga runs once it is back.
        """
        return self.start_many([saga_input], saga_ids=None if saga_id is None else [saga_id])[0]

    def start_many(
        self, inputs: Iterable[Input], *, saga_ids: Iterable[str] | None = None
    ) -> list[Handle[Output]]:
        """`start` for many inputs, each with its id, in one round trip to the log."""
        values = [self._validated(value) for value in inputs]
        ids = [uuid.uuid4().hex for _ in values] if saga_ids is None else list(saga_ids)
        if len(ids) != len(values):
            raise ValueError(
                f"{len(values)} inputs and {len(ids)} saga_ids: give each input its id"
            )
        starts = [
            (_checked(saga_id), canonical_json(value.model_dump(mode="json")))
            for saga_id, value in zip(ids, values, strict=True)
        ]
        answers = log_of(current_app).start_sagas(self.itinerary, starts)
        for saga_id, started in zip(ids, answers, strict=True):
            self._publish(saga_id, started)
        return [self._handle(saga_id) for saga_id in ids]

    def get(self, saga_id: str) -> Handle[Output]:
        """Find a saga by its id. Raises `UnknownSaga`, and `LogUnavailable`."""
        handle = self._handle(saga_id)
        _ = handle.status  # raises where there is none
        return handle

    def _handle(self, saga_id: str) -> Handle[Output]:
        return Handle(saga_id, lambda fields: validated(self.output, fields))

    def _validated(self, value: Input) -> Input:
        if not isinstance(value, self.input):
            raise TypeError(
                f"saga {self.name!r} starts with a {self.input.__name__}, not {value!r}"
            )
        return value

    def _publish(self, saga_id: str, started: int | SagaStatus) -> None:
        try:
            if started is SagaStatus.PENDING:  # perhaps it was never published
                advance(current_app, saga_id)
            elif not isinstance(started, SagaStatus):
                records = [(step.name, 0) for step in self.itinerary.steps]
                what = Publish(itinerary=self.itinerary, number=started, wait=0.0, records=records)
                publish(current_app, saga_id, what)
        except OperationalError as error:
            _logger.warning(
                "saga %s is in the log and runs once the broker is back: %s", saga_id, error
            )


def _checked(saga_id: str) -> str:
    if not _SAGA_ID.fullmatch(saga_id):
        raise ValueError(
            f"saga_id {saga_id!r} is not 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit"
        )
    return saga_id


def _itinerary(
    name: str,
    saga_input: type[BaseModel],
    output: type[BaseModel],
    steps: Sequence[Step[Any, Any]],
    timeout: float | None,
    outputs: Mapping[str, str],
) -> Itinerary:
    where = f"saga {name!r}"
    if not _NAME.fullmatch(name):
        raise DefinitionError(f"{where}: a name is letters, digits and _")
    if not steps:
        raise DefinitionError(f"{where} has no steps")
    models: dict[str, type[BaseModel]] = {"input": saga_input}
    plans: list[StepPlan] = []
    for step in steps:
        if step.name in [plan.name for plan in plans]:
            raise DefinitionError(f"{where}: two steps are called {step.name!r}; give one a name=")
        plans.append(_step_plan(step, models, where=f"{where}, step {step.name!r}"))
        if step.activity.output is not None:
            models[step.name] = step.activity.output
    return Itinerary(
        saga=name,
        timeout=timeout,
        stages=tuple((plan,) for plan in plans),
        output=_output_paths(output, outputs, models, where=where),
    )


def _step_plan(
    step: Step[Any, Any], models: Mapping[str, type[BaseModel]], *, where: str
) -> StepPlan:
    called: list[Activity[Any, Any]] = [each for each in (step.activity, step.fallback) if each]
    for key in step.inputs:
        if not any(key in each.input.model_fields for each in called):
            raise DefinitionError(
                f"{where}: inputs= names {key!r}, which is no field of {called[0].input.__name__}"
            )

    def plan(activity: Activity[Any, Any]) -> ActivityPlan:
        return activity.plan(wire(activity.input, step.inputs, models, where=where))

    return StepPlan(
        name=step.name,
        activity=plan(step.activity),
        fallback=plan(step.fallback) if step.fallback else None,
        compensation=step.compensation.plan({}) if step.compensation else None,
        on_failure=step.on_failure,
        outcome={class_name(error): name for error, name in step.outcome.items()},
    )


def _output_paths(
    output: type[BaseModel],
    declared: Mapping[str, str],
    models: Mapping[str, type[BaseModel]],
    *,
    where: str,
) -> dict[str, str]:
    paths = wire(output, declared, {**models, "saga": _SagaSource}, where=f"{where}, output")
    for name, path in paths.items():
        from_step = path.partition(".")[0] not in ("input", "saga")
        if from_step and not _allows_none(output.model_fields[name].annotation):
            raise DefinitionError(
                f"{where}, output: {output.__name__}.{name} comes from {path}, which may not have run; let it be None"
            )
    return paths


def _allows_none(annotation: Any) -> bool:
    return annotation is Any or type(None) in getattr(annotation, "__args__", ())
