"""`@activity`: a function over pydantic models as a Celery task that a saga may call."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, Protocol, TypeVar, overload

from celery.canvas import Signature
from celery.result import AsyncResult
from pydantic import BaseModel

from amends.activities.annotations import models_of, returns_optional
from amends.activities.guard import Guard, OnCircuitOpen, guard_of
from amends.activities.task import register
from amends.activities.task_options import check_options
from amends.backend.celery_apps import task_name
from amends.breaker.definition import CircuitBreaker
from amends.definition.plans import ActivityPlan
from amends.definition.retry_policy import RetryPolicy
from amends.definition.serialization import dumped, read_back

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel | None)
Input_contra = TypeVar("Input_contra", bound=BaseModel, contravariant=True)
Output_contra = TypeVar("Output_contra", bound=BaseModel | None, contravariant=True)


class _Callable:
    """What activities and compensations share."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        retry: RetryPolicy,
        start_to_close_timeout: float,
        queue: str | None,
        priority: int | None,
        name: str | None,
        guard: Guard | None,
        options: Mapping[str, Any],
    ) -> None:
        self.function = function
        self.is_async = inspect.iscoroutinefunction(function)
        self.name = name or task_name(function)
        self.retry = retry
        self.start_to_close_timeout = start_to_close_timeout
        self.queue = queue
        self.priority = priority
        self.guard = guard
        self.parameters, self.output, self.may_return_none = models_of(function, self.name)
        self.__doc__ = function.__doc__
        check_options(self.name, options, start_to_close_timeout)
        self.task = register(self, options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def input(self) -> type[BaseModel]:
        """The model that its first argument is."""
        return self.parameters[0]

    def plan(self, inputs: Mapping[str, str]) -> ActivityPlan:
        """Write it down for the saga log, with where its input comes from."""
        return ActivityPlan(
            task=self.name,
            queue=self.queue,
            priority=self.priority,
            start_to_close_timeout=self.start_to_close_timeout,
            max_attempts=self.retry.max_attempts,
            initial_interval=self.retry.initial_interval,
            max_interval=self.retry.max_interval,
            backoff_coefficient=self.retry.backoff_coefficient,
            jitter=self.retry.jitter,
            inputs=dict(inputs),
        )

    def delay(self, *arguments: BaseModel | Mapping[str, Any] | None) -> AsyncResult[Any]:
        """Queue a call on its own, outside of any saga."""
        return self.apply_async(arguments)

    def apply_async(
        self, arguments: tuple[BaseModel | Mapping[str, Any] | None, ...], **options: Any
    ) -> AsyncResult[Any]:
        """`delay` with Celery's options."""
        return self.task.apply_async(args=[_plain(argument) for argument in arguments], **options)

    def s(self, *arguments: BaseModel | Mapping[str, Any] | None) -> Signature[Any]:
        """Build a Celery signature of a call on its own."""
        return self.task.s(*[_plain(argument) for argument in arguments])


class Activity(_Callable, Generic[Input, Output]):
    """A function from one model to another, as a Celery task."""

    def __call__(self, request: Input) -> Output:
        """Call the function, here and now."""
        result: Output = self.function(request)
        return result


class AsyncActivity(Activity[Input, Output]):
    """An activity whose function is ``async def``: workers run it as any other, and a call of it here is awaited."""

    async def __call__(self, request: Input) -> Output:  # type: ignore[override]  # a step asks for a task, not for this
        """Call the function, here and now."""
        result: Output = await self.function(request)
        return result


class Compensation(_Callable, Generic[Input_contra, Output_contra]):
    """A function that undoes an activity: it gets the activity's input, and its output or None.

    It is contravariant: one that takes ``Output | None`` also undoes an activity that returns ``Output``.
    """

    def takes(self, output: type[BaseModel]) -> bool:
        """Tell whether its second parameter takes this output."""
        return issubclass(output, self.parameters[1])

    def __call__(self, request: Input_contra, output: Output_contra | None) -> None:
        """Call the function, here and now."""
        self.function(request, output)


class AsyncCompensation(Compensation[Input_contra, Output_contra]):
    """A compensation whose function is ``async def``."""

    async def __call__(  # type: ignore[override]  # as of an `AsyncActivity`
        self, request: Input_contra, output: Output_contra | None
    ) -> None:
        """Call the function, here and now."""
        await self.function(request, output)


class _Decorator(Protocol):
    @overload
    def __call__(self, function: Callable[[Input], Output], /) -> Activity[Input, Output]: ...
    @overload
    def __call__(
        self, function: Callable[[Input], Coroutine[Any, Any, Output]], /
    ) -> AsyncActivity[Input, Output]: ...
    @overload
    def __call__(
        self, function: Callable[[Input, Output | None], None], /
    ) -> Compensation[Input, Output]: ...
    @overload
    def __call__(
        self, function: Callable[[Input, Output | None], Coroutine[Any, Any, None]], /
    ) -> AsyncCompensation[Input, Output]: ...


@overload
def activity(function: Callable[[Input], Output], /) -> Activity[Input, Output]: ...
@overload
def activity(
    function: Callable[[Input], Coroutine[Any, Any, Output]], /
) -> AsyncActivity[Input, Output]: ...
@overload
def activity(
    function: Callable[[Input, Output | None], None], /
) -> Compensation[Input, Output]: ...
@overload
def activity(
    function: Callable[[Input, Output | None], Coroutine[Any, Any, None]], /
) -> AsyncCompensation[Input, Output]: ...
@overload
def activity(
    *,
    retry: RetryPolicy | None = None,
    start_to_close_timeout: float = 60.0,
    queue: str | None = None,
    priority: int | None = None,
    name: str | None = None,
    breaker: CircuitBreaker | None = None,
    on_circuit_open: OnCircuitOpen | None = None,
    **options: Any,
) -> _Decorator: ...
def activity(
    function: Callable[..., Any] | None = None,
    /,
    *,
    retry: RetryPolicy | None = None,
    start_to_close_timeout: float = 60.0,
    queue: str | None = None,
    priority: int | None = None,
    name: str | None = None,
    breaker: CircuitBreaker | None = None,
    on_circuit_open: OnCircuitOpen | None = None,
    **options: Any,
) -> Any:
    """Make a function an activity, or with a second parameter a compensation.

    An activity takes one pydantic model and returns one, or None. A compensation takes the input of the activity
    and its output, or None if the effect is unknown; it returns nothing. One that returns a model or None, as its annotation
    says, is for a step's `verify` alone. Any of them may be ``async def``: it runs in an event loop that the thread of its worker
    keeps, and a call of it outside of a worker returns its coroutine.

    retry: by default 3 attempts for an activity and 20 for a compensation and a verification, 1 s apart at first, doubling up
        to 60 s.
    start_to_close_timeout: longest time of one attempt in seconds.
    queue: queue of its messages, by default by the app's routes.
    priority: priority of its messages.
    name: name of the Celery task, by default module and function, as Celery names its own tasks.
    breaker: circuit breaker that every attempt goes through.
    on_circuit_open: while the circuit is open, ``"defer"`` (the default) puts the attempt off, which spends none;
        ``"fallback"`` goes to the step's fallback, at once or, if an earlier attempt may have taken effect, after its
        compensation; ``"fail"`` fails with `CircuitOpenError`, as ``"fallback"`` does without a fallback. A
        compensation can only be deferred.
    options: other options of a Celery task; those that the engine owns are refused.

    Raises `DefinitionError`.
    """

    def decorate(wrapped: Callable[..., Any]) -> Any:
        undoes = len(inspect.signature(wrapped).parameters) > 1
        called = name or task_name(wrapped)
        policy = retry or RetryPolicy(max_attempts=20 if undoes or returns_optional(wrapped) else 3)
        kinds = (Activity, AsyncActivity), (Compensation, AsyncCompensation)
        return kinds[undoes][inspect.iscoroutinefunction(wrapped)](
            wrapped,
            retry=policy,
            start_to_close_timeout=start_to_close_timeout,
            queue=queue,
            priority=priority,
            name=name,
            guard=guard_of(breaker, on_circuit_open, name=called, undoes=undoes),
            options=options,
        )

    return decorate if function is None else decorate(function)


def _plain(argument: BaseModel | Mapping[str, Any] | None) -> Any:
    if not isinstance(argument, BaseModel):
        return argument
    read_back(type(argument), argument, "an argument of a call on its own")
    return dumped(argument)
