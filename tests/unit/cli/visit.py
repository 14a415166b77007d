"""A saga for tests of the command line, and its moves: a visit that is booked, paid for and told of."""

from typing import Any

from pydantic import BaseModel

from amends import Saga, Step, activity
from amends.definition.serialization import canonical_json
from amends.definition.states import SagaStatus
from amends.log.saga_log import SagaLog

ERROR = canonical_json({"type": "Away", "message": "nobody answers\nat the bank"})


class Visit(BaseModel):
    guest: str


class Ticket(BaseModel):
    ticket: str


class VisitResult(BaseModel):
    outcome: str


@activity
def book_room(visit: Visit) -> Ticket:
    return Ticket(ticket=visit.guest)


@activity
def cancel_room(visit: Visit, ticket: Ticket | None) -> None:
    """Do nothing: tests move the saga themselves."""


@activity
def pay_card(visit: Visit) -> Ticket:
    return Ticket(ticket=visit.guest)


@activity
def pay_cash(visit: Visit) -> Ticket:
    return Ticket(ticket=visit.guest)


@activity
def refund(visit: Visit, ticket: Ticket | None) -> None:
    """Do nothing."""


@activity
def tell_guest(visit: Visit) -> None:
    """Do nothing."""


visit_saga = Saga(
    "visit",
    input=Visit,
    output=VisitResult,
    timeout=600.0,
    steps=[
        Step(book_room, compensation=cancel_room, name="room", outcome="no_room"),
        Step(pay_card, fallback=pay_cash, compensation=refund, name="pay", outcome="not_paid"),
        Step(tell_guest, compensation=None, name="tell"),
    ],
)


class Moves:
    """Moves sagas of this definition by hand."""

    def __init__(self, log: SagaLog) -> None:
        self.log = log

    def start(self, *ids: str) -> None:
        starts = [(each, '{"guest":"ada"}') for each in ids]
        self.log.starts.start_sagas(visit_saga.itinerary, starts)

    def claim(self, saga_id: str, path: str) -> None:
        self.log.claim_step(saga_id, path, token="t", owner="worker:1:message", retries=9)

    def do(self, saga_id: str, *paths: str) -> None:
        for path in paths:
            self.claim(saga_id, path)
            output = "null" if path.endswith("undo") else '{"ticket":"secret"}'
            self.log.complete_step(saga_id, path, token="t", output=output, link="")

    def put_off(self, saga_id: str, path: str, *, wait: float) -> None:
        self.claim(saga_id, path)
        how: Any = {"token": "t", "error": ERROR, "unknown": False, "cost": "attempt"}
        self.log.retry_step(saga_id, path, wait=wait, **how)

    def lose(self, saga_id: str, path: str, *, unknown: bool = False) -> None:
        self.claim(saga_id, path)
        how: Any = {"token": "t", "error": ERROR, "outcome": "lost", "link": ""}
        self.log.fail_step(saga_id, path, unknown=unknown, refused=False, **how)

    def be_stuck(self, saga_id: str) -> None:
        self.start(saga_id)
        self.do(saga_id, "room")
        self.lose(saga_id, "pay", unknown=True)
        self.do(saga_id, "pay:undo", "pay:fallback")
        self.lose(saga_id, "tell")
        self.lose(saga_id, "pay:fallback:undo")
        self.do(saga_id, "room:undo")
        assert self.log.read_status(saga_id) is SagaStatus.STUCK
