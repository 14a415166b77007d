"""Durable sagas on Celery: ordered undo, safe retries, recovery from any crash."""

import amends.telemetry.circuit_acts  # they subscribe
import amends.telemetry.observers
import amends.telemetry.spans
import amends.worker.bootstep  # they register themselves
import amends.worker.unknown_task  # noqa: F401 - and so does its handler
from amends.activities.context import Context, Undoes, context
from amends.activities.definition import Activity, Compensation, activity
from amends.breaker.definition import CircuitBreaker
from amends.definition.retry_policy import RetryPolicy
from amends.definition.states import SagaStatus, StepState
from amends.errors import (
    ActivityError,
    ActRefused,
    BarrierBusy,
    CircuitOpenError,
    ConfigurationError,
    DefinitionError,
    LogUnavailable,
    NotDone,
    OutboxUnavailable,
    Refused,
    SagaAlreadyStarted,
    SagaError,
    SagaStuck,
    UnknownSaga,
    UnknownSchedule,
    UnreadableData,
)
from amends.log.control import Signalled
from amends.log.history import Event
from amends.saga.child import Child
from amends.saga.definition import Saga
from amends.saga.handle import Handle, get, get_async
from amends.saga.search import find, find_async
from amends.saga.snapshot import RecordSnapshot, Snapshot, StepSnapshot
from amends.saga.stages import Each, Parallel
from amends.saga.step import Step
from amends.saga.wait import Delay, Wait
from amends.scheduling.definition import Schedule
from amends.telemetry.signals import saga_compensated, saga_completed, saga_started, saga_stuck

__all__ = [
    "ActRefused",
    "Activity",
    "ActivityError",
    "BarrierBusy",
    "Child",
    "CircuitBreaker",
    "CircuitOpenError",
    "Compensation",
    "ConfigurationError",
    "Context",
    "DefinitionError",
    "Delay",
    "Each",
    "Event",
    "Handle",
    "LogUnavailable",
    "NotDone",
    "OutboxUnavailable",
    "Parallel",
    "RecordSnapshot",
    "Refused",
    "RetryPolicy",
    "Saga",
    "SagaAlreadyStarted",
    "SagaError",
    "SagaStatus",
    "SagaStuck",
    "Schedule",
    "Signalled",
    "Snapshot",
    "Step",
    "StepSnapshot",
    "StepState",
    "Undoes",
    "UnknownSaga",
    "UnknownSchedule",
    "UnreadableData",
    "Wait",
    "activity",
    "context",
    "find",
    "find_async",
    "get",
    "get_async",
    "saga_compensated",
    "saga_completed",
    "saga_started",
    "saga_stuck",
]
