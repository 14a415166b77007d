"""A service outside of the house, which may be slow or away."""

from typing import Any

from pydantic import BaseModel

from amends import activity
from tasks import gateway
from tasks.pace import STEP


class ExternalCall(BaseModel):
    """What to send."""

    payload: dict[str, Any]


class ExternalAnswer(BaseModel):
    """What came back."""

    answer: dict[str, Any]


@activity(queue="external", start_to_close_timeout=30.0, retry=STEP)
def call_external_service(call: ExternalCall) -> ExternalAnswer:
    """Call the service and return what it answers."""
    return ExternalAnswer(answer=gateway.post("/external/echo", call.payload))
