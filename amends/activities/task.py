"""The Celery task that each activity is: from a message to an attempt, and back."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from celery import Celery, Task, shared_task
from celery.result import AsyncResult
from celery.utils.log import get_task_logger

from amends.activities.in_process import HERE, perform_record
from amends.activities.inline import trace_inline
from amends.activities.log_retry import interrupts, retry_until_written
from amends.activities.message import CURRENT, Message
from amends.activities.misdirected import give_back, leave_to_newer
from amends.activities.postponement import put_off
from amends.activities.protocol import Call, Definition, Ended
from amends.activities.raised import for_main_process, keep_from_celery
from amends.activities.standalone import StandaloneCall
from amends.activities.step_at_hand import StepAtHand
from amends.backend.settings import Settings
from amends.definition.itinerary import is_path, is_saga_id
from amends.dispatch.messages import TOKEN_HEADER, is_in_saga, origin_of, stop_chain
from amends.errors import LogUnavailable, Refused, UnreadableData
from amends.log.answers import Done, Run, Stop
from amends.log.owner import WorkerProcess
from amends.telemetry.flower import in_one_message

CLAIM_PATIENCE: Final = 5.0
"""Seconds that a claim keeps its pool slot while the log is away."""

_logger = get_task_logger(__name__)

if TYPE_CHECKING:
    CeleryTask = Task[Any, Any]
else:
    CeleryTask = Task


class ActivityTask(CeleryTask):
    """An activity's task. In a saga its message brings ``saga_id`` and ``step``, else the input."""

    abstract = True
    typing = False
    acks_late = True
    reject_on_worker_lost = True
    acks_on_failure_or_timeout = True
    ignore_result = True
    max_retries = None
    throws = (Refused,)
    activity: ClassVar[Definition]
    _relay: Relay | None = None
    Request = "amends.activities.request:ActivityRequest"
    autoretry_for = ()

    def __init_subclass__(cls, **options: Any) -> None:
        """Take along what the app's own task class does, such as to enter an application's context (``task_cls=``).

        It comes behind this class: what the engine owns stays.
        """
        super().__init_subclass__(**options)
        if app := vars(cls).get("app"):  # that it is registered with
            cls.__bases__ = (*cls.__bases__, app.Task)
            cls.throws = (*cls.throws, *app.Task.throws)

    def apply_async(  # type: ignore[override]  # Celery's options pass through
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> AsyncResult[Any]:
        """Publish; in a saga, as its child (a chain would make it a child of the step before)."""
        options = {**self.own_options, **options}
        if is_in_saga(args, kwargs):
            options["root_id"] = options["parent_id"] = kwargs["saga_id"]
        return super().apply_async(args, kwargs, **options)

    @property
    def own_options(self) -> dict[str, Any]:
        """Celery's options that its activity gives."""
        own = {"queue": self.activity.queue, "priority": self.activity.priority}
        return {name: value for name, value in own.items() if value is not None}

    @property
    def __trace__(self) -> Relay | None:  # an attribute of Celery's, which a worker sets
        """What a worker calls for each message of this task."""
        return self._relay

    @__trace__.setter
    def __trace__(self, trace: Callable[..., Any] | None) -> None:
        self._relay = None if trace is None else Relay(self.app, trace)

    def perform(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do what a message asks for."""
        if not is_in_saga(args, kwargs):
            return StandaloneCall(self).perform(args, kwargs)
        if perform_here := HERE.get():
            return perform_here()
        saga_id, path = kwargs["saga_id"], kwargs["step"]
        if not is_saga_id(saga_id) or not is_path(path):
            _logger.error("a message is dropped, it names no record of a saga: %.200r", kwargs)
            stop_chain(self.request)
            return None
        self._perform_in_saga(saga_id, path)
        return None

    def _perform_in_saga(self, saga_id: str, path: str) -> None:
        step = StepAtHand(self, saga_id)
        if inline := step.message.inline:
            step.carry_out(inline.run, path, token=inline.token)
            return
        log, token = step.log, secrets.token_hex(8)
        try:
            claim = self._claim(step, saga_id, path, token)
        except UnreadableData as error:
            leave_to_newer(log, saga_id, path, token=token, error=error)
            stop_chain(self.request)
            return
        if isinstance(claim, Run) and self._is_misdirected(claim, path):
            give_back(self, log, claim, saga_id, path, token=token)
            stop_chain(self.request)
        elif isinstance(claim, Run):
            step.carry_out(claim, path, token=token)
        elif isinstance(claim, Stop):
            _logger.debug("saga %s: %s stops here: %s", saga_id, path, claim.reason)
            stop_chain(self.request)

    def perform_here(
        self, saga_id: str, path: str, *, retries: int, call: Call | None = None
    ) -> Ended | None:
        """Do one record of a saga in this process, without a message, as Celery would call the task.

        Returns how the attempt ended, None if none was made.
        """
        return perform_record(self, saga_id, path, retries=retries, call=call)

    def _claim(self, step: StepAtHand, saga_id: str, path: str, token: str) -> Run | Done | Stop:
        """Claim a record; with the log away the message is put off, or kept where the broker is away too."""
        request: Any = self.request  # which Celery looks up each time
        # The tokens of this message's earlier claims whose answers never came; it may be anybody's.
        brought = (request.headers or {}).get(TOKEN_HEADER, "")
        retries = request.retries if isinstance(request.retries, int) else 0
        claim = partial(
            step.log.claim_step,
            saga_id,
            path,
            token=token,
            owner=step.owner,
            retries=retries,
            brought=brought,
            process=step.process,
            origin=origin_of(self),
        )
        while True:
            until = time.monotonic() + CLAIM_PATIENCE
            try:
                try:
                    return claim()
                except BaseException as error:
                    if not interrupts(error):
                        raise
                    return retry_until_written(claim, error, until=until)
            except LogUnavailable as error:
                put_off(self, [brought, token], error)

    def _is_misdirected(self, claim: Run, path: str) -> bool:
        """Return whether the message is for another activity's task than its record.

        By the name in the message: an app may lead an old name of a task to the new one.
        """
        asked = getattr(self.request, "task", None) or self.name
        return bool(asked != claim.itinerary.records[path].call.task)


class Relay:
    """Celery's tracer of an activity's task, which goes on with the steps that follow under the same message.

    They begin once the step before has ended to Celery too, as if each had a message.
    """

    def __init__(self, app: Celery, trace: Callable[..., Any]) -> None:
        self._app = app
        self.trace = trace

    def __call__(self, uuid: str, args: Any, kwargs: Any, request: Any = None) -> Any:
        """Trace the message's own step, and those after it. Returns what Celery's tracer does of the first."""
        if not is_in_saga(args, kwargs):
            return for_main_process(self.trace(uuid, args, kwargs, request))
        request = dict(request or ())
        message = Message(task_id=uuid, errbacks=request.pop("errbacks", None))
        sends_events = WorkerProcess.current.sends_events.value
        token = CURRENT.set(message)
        try:
            with in_one_message(self._app) if sends_events else nullcontext():
                traced = self.trace(uuid, args, kwargs, request)
                while step := message.begin_next():
                    trace_inline(self._app, step, request)
        finally:
            CURRENT.reset(token)
        return traced if traced[1] is None else for_main_process(traced)


def register(activity: Definition, options: Mapping[str, Any]) -> ActivityTask:
    """Register an activity's task with every app. `options` are Celery's, as the activity was given them."""

    def run(task: ActivityTask, *args: Any, **kwargs: Any) -> Any:
        try:
            return task.perform(args, kwargs)
        except BaseException as error:
            keep_from_celery(error)
            raise

    function = activity.function
    run.__name__, run.__module__ = function.__name__, function.__module__
    run.__doc__ = function.__doc__
    if activity.guard:
        options = {"Request": "amends.activities.request:GuardedRequest", **options}
    shared: Any = shared_task  # celery-types knows no limit in fractions of a second
    task: ActivityTask = shared(
        name=activity.name,
        bind=True,
        base=ActivityTask,
        activity=activity,
        throws=(*ActivityTask.throws, *options.get("throws", ())),
        soft_time_limit=activity.start_to_close_timeout,
        time_limit=activity.start_to_close_timeout + Settings.hard_limit_after,
        **{name: value for name, value in options.items() if name != "throws"},
    )(run)
    return task
