"""A call to a service outside of the house."""

from typing import Any

from pydantic import BaseModel

from amends import Saga, Step
from tasks.external import ExternalCall, call_external_service


class ExternalCallResult(BaseModel):
    """What came of the call."""

    outcome: str
    answer: dict[str, Any] | None
    error: str | None


external_call_saga = Saga(
    "external_call",
    input=ExternalCall,
    output=ExternalCallResult,
    timeout=300.0,
    steps=[Step(call_external_service, compensation=None, outcome="call_failed")],
)
