"""Links in a rehearsal: made without settings, and answered by the application."""

from pydantic import BaseModel

from amends import Saga, Step, Wait, activity, context
from tests.support.link_client import LinkClient


class Request(BaseModel):
    url: str | None = None


class Sent(BaseModel):
    url: str


class Approval(BaseModel):
    granted: bool


@activity
def send_link(request: Request) -> Sent:
    return Sent(url=context().wait_url("approval", Approval(granted=True)))


saga = Saga(
    "rehearsed_link",
    input=Request,
    output=Request,
    outputs={"url": "send_link.url"},
    steps=[Step(send_link, compensation=None), Wait("approval", Approval, timeout=60.0)],
)


def test_a_saga_of_a_rehearsal_goes_on_by_its_link(rehearsal):
    handle = rehearsal.run(saga, Request(), within=0)
    (call,) = rehearsal.calls_of(handle)
    assert handle.status == "running"
    assert LinkClient().post(call.output.url, json=True).json() == {"signal": "taken"}
    rehearsal.advance(0.0)
    assert handle.wait(timeout=0).url == call.output.url
