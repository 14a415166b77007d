"""A saga that fails as its input says, and one of every kind in a log."""

from collections.abc import Callable

from pydantic import BaseModel

from amends import CircuitBreaker, NotDone, Refused, RetryPolicy, Saga, Step, activity, context
from amends.definition.serialization import canonical_json
from amends.log.answers import Origin
from amends.log.saga_log import SagaLog

TWICE = RetryPolicy(max_attempts=2, initial_interval=0.01, jitter=0.0)

courier = CircuitBreaker("courier", failure_on=(NotDone,), failure_threshold=50)


class Errand(BaseModel):
    errand_id: str
    fails: tuple[str, ...] = ()


class Goods(BaseModel):
    goods: str


class ErrandResult(BaseModel):
    outcome: str


def attempt(errand: Errand, name: str) -> Goods:
    if name in errand.fails or (f"{name} once" in errand.fails and context().attempt == 1):
        raise NotDone(f"{name} failed")
    return Goods(goods=name)


@activity(retry=TWICE)
def buy(errand: Errand) -> Goods:
    return attempt(errand, "buy")


@activity(retry=TWICE)
def borrow(errand: Errand) -> Goods:
    return attempt(errand, "borrow")


@activity(retry=TWICE, queue="returns")
def give_back(errand: Errand, goods: Goods | None) -> None:
    attempt(errand, "give_back")


@activity(retry=TWICE, breaker=courier)
def deliver(errand: Errand) -> None:
    if "deliver" in errand.fails:
        raise Refused("nobody is at home")
    attempt(errand, "id-late")


errand_saga = Saga(
    "errand",
    input=Errand,
    output=ErrandResult,
    steps=[
        Step(buy, fallback=borrow, compensation=give_back, name="fetch", outcome="not_found"),
        Step(deliver, compensation=None, outcome="not_delivered"),
    ],
)

KINDS = {
    "completed": (),
    "retried": ("buy once",),
    "borrowed": ("buy",),
    "not_found": ("buy", "borrow"),
    "undone": ("deliver",),
    "undone_twice": ("deliver", "give_back once"),
    "stuck": ("deliver", "give_back"),
}
"""What fails in one errand of each kind that runs by itself."""


def run_every_kind(log: SagaLog) -> list[str]:
    """Run an errand of each kind, in this process; answers their ids."""
    by_themselves = [run(f"id-{kind}", *fails) for kind, fails in KINDS.items()]
    return by_themselves + [move(log) for move in BY_HAND]


def run(saga_id: str, *fails: str) -> str:
    handle = errand_saga.start(Errand(errand_id=saga_id, fails=fails), saga_id=saga_id)
    assert handle.status in ("completed", "compensated", "stuck")
    return handle.id


def start(log: SagaLog, saga_id: str) -> None:
    """Write an errand to the log that nobody runs."""
    text = canonical_json(Errand(errand_id=saga_id).model_dump(mode="json"))
    log.starts.start_saga(saga_id, errand_saga.itinerary, text)


def cancelled(log: SagaLog) -> str:
    start(log, "id-cancelled")
    log.control.cancel_saga("id-cancelled", error="{}", actor={})
    return "id-cancelled"


def paused(log: SagaLog) -> str:
    start(log, "id-paused")
    log.control.pause_saga("id-paused", actor={})
    log.control.resume_saga("id-paused", actor={})
    log.control.skip_step("id-paused", "fetch", output='{"goods":"found"}', actor={})
    return "id-paused"


def repaired(log: SagaLog) -> str:
    run("id-repaired", "deliver", "give_back")
    log.control.retry_saga("id-repaired", actor={})
    return "id-repaired"


def late(log: SagaLog) -> str:
    start(log, "id-late")
    claim(log, "id-late")
    log.complete_step("id-late", "fetch", token="lost", output="null", link="")
    return "id-late"


def unknown_to_workers(log: SagaLog) -> str:
    start(log, "id-unknown")
    log.note_unregistered("id-unknown", "fetch", task=buy.name, most=5)
    return "id-unknown"


def claim(log: SagaLog, saga_id: str) -> None:
    owner, origin = f"w:1:{saga_id}.1.fetch", Origin(queue="errands")
    log.claim_step(saga_id, "fetch", token="t", owner=owner, retries=0, origin=origin)


BY_HAND: tuple[Callable[[SagaLog], str], ...] = (
    cancelled,
    paused,
    repaired,
    late,
    unknown_to_workers,
)
"""Those that somebody moves."""
