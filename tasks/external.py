"""A service outside of the house, which may be slow or away."""

from typing import Any

from pydantic import BaseModel

from amends import CircuitBreaker, activity
from tasks import gateway
from tasks.pace import STEP, paced_wait

external = CircuitBreaker("external", failure_on=gateway.FAILURES, reset_timeout=paced_wait(60.0))
"""Three failures in a row, and nobody calls for a minute."""


class ExternalCall(BaseModel):
    """What to send, and where: without a `url` to the sandbox's own service."""

    payload: dict[str, Any]
    url: str | None = None


class ExternalAnswer(BaseModel):
    """What came back."""

    answer: dict[str, Any]


@activity(
    queue="external",
    start_to_close_timeout=30.0,
    retry=STEP,
    breaker=external,
    on_circuit_open="fail",
)
def call_external_service(call: ExternalCall) -> ExternalAnswer:
    """Call a service that is allowed to be called, and return what it answers."""
    url = call.url or f"{gateway.SERVICES_URL}/external/echo"
    return ExternalAnswer(answer=gateway.post_outside(url, call.payload))
