"""What `import amends` gives."""

import amends
import amends.barrier
import amends.fastapi
import amends.http

NAMES = [
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


def test_the_public_names_are_these_in_this_order():
    assert amends.__all__ == NAMES
    assert sorted(NAMES) == NAMES


def test_every_public_name_is_there():
    assert [name for name in NAMES if not hasattr(amends, name)] == []


def test_the_application_of_links_is_public():
    assert amends.http.__all__ == ["LinkApp", "http_app"]


def test_what_an_application_of_fastapi_needs_is_public():
    assert amends.fastapi.__all__ == ["add_sagas"]


def test_the_barrier_is_public():
    assert amends.barrier.__all__ == [
        "BarrierBusy",
        "Block",
        "Call",
        "RedisBarrier",
        "Undo",
        "barrier",
        "forget",
        "undoing",
    ]
