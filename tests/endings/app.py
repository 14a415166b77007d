"""An app whose activities end in every way; the settings come from the environment."""

import os
import time
from typing import Final

from celery import Celery
from redis import Redis

from amends import NotDone, RetryPolicy, Saga, Step, activity, context
from amends.definition.itinerary import Dispatch
from tests.endings.models import Ask, Made, Outcome
from tests.endings.ways import WAYS

app = Celery("endings", broker=os.environ["CELERY_BROKER_URL"], set_as_current=False)
app.conf.update(
    amends_backend=os.environ["AMENDS_BACKEND"],
    amends_sweep_interval=0.2,
    amends_poison_after=2,
    worker_prefetch_multiplier=16,  # with few, a worker of greenlets fetches every 2 s
    task_default_queue=os.environ.get("QUEUE", "endings"),
)

CALLS: Final = "endings:calls"
MET: Final = "endings:met"
TWICE: Final = RetryPolicy(max_attempts=2, initial_interval=0.0, jitter=0.0)
ONCE: Final = RetryPolicy(max_attempts=1)
notes = Redis.from_url(os.environ["CELERY_BROKER_URL"], decode_responses=True)


def end(ask: Ask, at: str) -> Made:
    """Count the call, and end in the way that is asked for here."""
    call = context()
    notes.hincrby(CALLS, f"{call.saga_id or call.idempotency_key}:{at}", 1)
    if ask.at != at:
        return Made()
    made: Made = WAYS[ask.way].end()
    return made


@activity(retry=TWICE)
def act(ask: Ask) -> Made:
    return end(ask, "act")


@activity(retry=ONCE)
def be_away(ask: Ask) -> Made:
    if ask.at == "fallback":
        raise NotDone("away")
    return Made()


@activity(retry=TWICE)
def stand_in(ask: Ask) -> Made:
    return end(ask, "fallback")


@activity(retry=TWICE)
def take_back(ask: Ask, made: Made | None) -> None:
    """Take it back, whatever there is."""
    if ask.at == "undo":
        return end(ask, "undo")  # type: ignore[return-value]
    return None


@activity(retry=ONCE)
def call_off(ask: Ask, made: Made | None) -> None:
    """Call it off, always well."""


@activity(retry=ONCE)
def fail(ask: Ask) -> None:
    if ask.at == "undo":
        raise ValueError("so that there is something to take back")


@activity(retry=ONCE)
def meet(ask: Ask) -> None:
    """Wait for as many as the worker has slots."""
    notes.incr(MET)
    until = time.monotonic() + 60
    while int(notes.get(MET) or 0) < int(ask.way):
        assert time.monotonic() < until, "a slot of the pool is gone"
        time.sleep(0.02)


def saga_of(dispatch: Dispatch) -> Saga[Ask, Outcome]:
    """Define the saga whose calls end so."""
    steps = [
        Step(act, compensation=take_back),
        Step(be_away, fallback=stand_in, compensation=call_off),
        Step(fail, compensation=None),
    ]
    return Saga(f"endings_{dispatch}", input=Ask, output=Outcome, steps=steps, dispatch=dispatch)


SAGAS: Final = {"chain": saga_of("chain"), "inline": saga_of("inline")}
meeting = Saga("meeting", input=Ask, output=Outcome, steps=[Step(meet, compensation=None)])
