"""Durable sagas on Celery: ordered undo, safe retries, recovery from any crash."""

import amends.bootsteps  # they register themselves
import amends.parking  # noqa: F401 - and so does its handler
from amends.activities.definition import Activity, Compensation, activity
from amends.breaker.definition import CircuitBreaker
from amends.errors import (
    ActRefused,
    CircuitOpenError,
    ConfigurationError,
    DefinitionError,
    LogUnavailable,
    NotDone,
    Refused,
    SagaAlreadyStarted,
    SagaError,
    SagaStuck,
    UnknownSaga,
)
from amends.events import Event
from amends.handle import Handle, get
from amends.invocation import Context, Undoes, context
from amends.observers.signals import saga_compensated, saga_completed, saga_started, saga_stuck
from amends.policy import RetryPolicy
from amends.saga import Saga
from amends.snapshot import RecordSnapshot, Snapshot, StepSnapshot
from amends.states import SagaStatus, StepState
from amends.step import Step

__all__ = [
    "ActRefused",
    "Activity",
    "CircuitBreaker",
    "CircuitOpenError",
    "Compensation",
    "ConfigurationError",
    "Context",
    "DefinitionError",
    "Event",
    "Handle",
    "LogUnavailable",
    "NotDone",
    "RecordSnapshot",
    "Refused",
    "RetryPolicy",
    "Saga",
    "SagaAlreadyStarted",
    "SagaError",
    "SagaStatus",
    "SagaStuck",
    "Snapshot",
    "Step",
    "StepSnapshot",
    "StepState",
    "Undoes",
    "UnknownSaga",
    "activity",
    "context",
    "get",
    "saga_compensated",
    "saga_completed",
    "saga_started",
    "saga_stuck",
]
