"""Sagas as people write them: steps in order, what undoes each, and what a failure is called."""

import logging
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any, Final, Generic, TypeVar, get_args

from celery import Celery, current_app
from kombu.exceptions import OperationalError
from pydantic import BaseModel

from amends.answers import Publish
from amends.coordinator import advance, publish
from amends.errors import DefinitionError, SagaAlreadyStarted
from amends.handle import Handle
from amends.itinerary import Dispatch, Itinerary, StepPlan
from amends.log import log_of
from amends.payload import canonical_json, dumped, held_to_size, validated
from amends.states import SagaStatus
from amends.step import NAME, AnyStep
from amends.wiring import wire

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)

_SAGA_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_logger = logging.getLogger(__name__)


class _SagaSource(BaseModel):
    saga_id: str
    outcome: str
    error: str | None
    degraded: list[str]


class Saga(Generic[Input, Output]):
    """A saga's definition: its steps in order, its input, and its output.

    `output` is filled by field name from the saga's input, the outputs of its done steps, and
    ``saga_id``, ``outcome``, ``error`` and ``degraded`` (a list with a sentence for each step that went to its
    fallback or was passed over: which, and for what error); `outputs` says where a field comes from that several have,
    as ``input.<field>``, ``<step>.<field>`` or ``saga.<field>``. A field that comes from a step must
    allow None. `timeout` is in seconds. With `dispatch` ``"inline"`` the worker that did a step goes on with
    the next one itself, where it consumes that one's queue, for 30 s at most and the step at hand; with
    ``"chain"`` each step is a message. Raises `DefinitionError`.
    """

    def __init__(
        self,
        name: str,
        *,
        input: type[Input],  # noqa: A002 - the word that a reader expects
        output: type[Output],
        steps: Sequence[AnyStep],
        timeout: float | None = None,
        outputs: Mapping[str, str] | None = None,
        dispatch: Dispatch = "chain",
    ) -> None:
        self.name = name
        self.input = input
        self.output = output
        self.itinerary = _itinerary(
            name, input, output, steps, timeout=timeout, outputs=outputs or {}, dispatch=dispatch
        )

    def __repr__(self) -> str:
        return f"<Saga {self.name}>"

    def start(self, saga_input: Input, *, saga_id: str | None = None) -> Handle[Output]:
        """Start a saga and return its handle; the same id and input give the same saga.

        Without `saga_id` each call starts another one. Raises `SagaAlreadyStarted` where the id
        belongs to another saga, ``ValueError`` for an id outside of the pattern or (pydantic's) an
        input of another shape, and `LogUnavailable`.
        With the broker away it returns the handle with a warning: the saga runs once it is back.
        """
        return self.start_many([saga_input], saga_ids=None if saga_id is None else [saga_id])[0]

    def start_many(
        self, inputs: Iterable[Input], *, saga_ids: Iterable[str] | None = None
    ) -> list[Handle[Output]]:
        """`start` for many inputs, each with its id, in one round trip to the log.

        Where one raises `SagaAlreadyStarted`, the others are started all the same.
        """
        # As a worker will: an input that it could not read is refused here.
        values = [
            validated(self.input, dumped(self.input.model_validate(value))) for value in inputs
        ]
        ids = [uuid.uuid4().hex for _ in values] if saga_ids is None else list(saga_ids)
        if len(ids) != len(values):
            raise ValueError(
                f"{len(values)} inputs and {len(ids)} saga_ids: give each input its id"
            )
        starts = [
            (
                _checked(saga_id),
                held_to_size(canonical_json(dumped(value)), f"the input of {saga_id}"),
            )
            for saga_id, value in zip(ids, values, strict=True)
        ]
        answers = log_of(_app()).start_sagas(self.itinerary, starts)
        self._publish(dict(zip(ids, answers, strict=True)))
        for answer in answers:
            if isinstance(answer, SagaAlreadyStarted):
                raise answer
        return [self._handle(saga_id) for saga_id in ids]

    def get(self, saga_id: str) -> Handle[Output]:
        """Find a saga by its id. Raises `UnknownSaga`, and `LogUnavailable`."""
        handle = self._handle(saga_id)
        _ = handle.status  # raises where there is none
        return handle

    def _handle(self, saga_id: str) -> Handle[Output]:
        return Handle(saga_id, lambda fields: validated(self.output, fields))

    def _publish(self, answers: Mapping[str, int | SagaStatus | SagaAlreadyStarted]) -> None:
        try:
            for saga_id, answer in answers.items():
                if answer is SagaStatus.PENDING:  # perhaps it was never published
                    advance(_app(), saga_id)
                elif isinstance(answer, int):
                    records = [(step.name, 0) for step in self.itinerary.steps]
                    what = Publish(
                        itinerary=self.itinerary, number=answer, wait=0.0, records=records
                    )
                    publish(_app(), saga_id, what)
        except OperationalError as error:
            _logger.warning(
                "saga %s is in the log and runs once the broker is back, as do those started with it: %s",
                saga_id,
                error,
            )


def _app() -> Celery:
    proxy: Any = current_app  # which is another app's a moment later
    app: Celery = proxy._get_current_object()  # noqa: SLF001 - the app is a key of what is kept for it
    return app


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
    steps: Sequence[AnyStep],
    *,
    timeout: float | None,
    outputs: Mapping[str, str],
    dispatch: Dispatch,
) -> Itinerary:
    where = f"saga {name!r}"
    if not NAME.fullmatch(name):
        raise DefinitionError(f"{where}: a name is letters, digits and _")
    if not steps:
        raise DefinitionError(f"{where} has no steps")
    if timeout is not None and not 0 < timeout < inf:
        raise DefinitionError(f"{where}: timeout is {timeout}, not a time in seconds")
    if dispatch not in get_args(Dispatch):
        raise DefinitionError(f"{where}: dispatch is {dispatch!r}, not 'chain' or 'inline'")
    models: dict[str, type[BaseModel]] = {"input": saga_input}
    plans: list[StepPlan] = []
    for step in steps:
        if step.name in [plan.name for plan in plans]:
            raise DefinitionError(f"{where}: two steps are called {step.name!r}; give one a name=")
        passed_over = frozenset(plan.name for plan in plans if plan.on_failure == "continue")
        plans.append(step.plan(models, optional=passed_over, where=f"{where}, step {step.name!r}"))
        if step.activity.output is not None:
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
        output=wire(
            output,
            outputs,
            {**models, "saga": _SagaSource},
            optional=frozenset(plan.name for plan in plans),
            where=f"{where}, output",
            keyword="outputs",
        ),
    )
