"""A small app of its own, run by workers with every kind of pool; the settings come from the environment."""

import asyncio
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from pydantic import BaseModel

from amends import (
    CircuitBreaker,
    Each,
    Parallel,
    Refused,
    RetryPolicy,
    Saga,
    Step,
    Wait,
    activity,
    context,
)

app = Celery("shop", broker=os.environ["CELERY_BROKER_URL"])
app.conf.update(
    amends_backend=os.environ["AMENDS_BACKEND"],
    amends_sweep_interval=0.2,
    amends_hard_limit_after=1.0,
    amends_give_up_after=2.0,
    amends_http_url="https://shop.example/links",
    amends_http_key="k" * 32,
    worker_prefetch_multiplier=1,
    worker_lost_wait=1.0,
)

LIMIT = 0.5
LONGER = 4.0
QUICK = RetryPolicy(max_attempts=2, initial_interval=0.01, jitter=0.0)


class Job(BaseModel):
    job_id: str
    manner: str


class Item(BaseModel):
    number: int


class Lot(Job):
    items: list[Item]


class Piece(Job):
    number: int


class Result(BaseModel):
    outcome: str


@activity(start_to_close_timeout=LIMIT, retry=QUICK)
def work(job: Job) -> None:
    """Work in the manner that is asked for, at the first attempt."""
    if context().attempt > 1 or job.manner == "quick":
        return
    if job.manner == "slow":
        time.sleep(LONGER)
    if job.manner == "obstinate":
        ignore_the_soft_limit()


def ignore_the_soft_limit() -> None:
    until = time.monotonic() + LONGER
    while time.monotonic() < until:
        with suppress(SoftTimeLimitExceeded):
            time.sleep(0.05)


BREWS = Path(tempfile.gettempdir())


@activity(start_to_close_timeout=LIMIT, retry=QUICK)
async def brew(job: Job) -> None:
    """Do as `work` does, in a coroutine, and note how an attempt that is stopped was told so."""
    await asyncio.sleep(0)
    if context().attempt > 1 or job.manner not in {"slow", "obstinate"}:
        return
    until = time.monotonic() + LONGER
    while time.monotonic() < until:
        try:
            await asyncio.sleep(LONGER)
        except BaseException as error:
            (BREWS / job.job_id).write_text(type(error).__mro__[1].__name__)
            if job.manner != "obstinate":
                raise


@activity(start_to_close_timeout=60.0, retry=QUICK)
async def keep_warm(job: Job) -> None:
    """Wait to be ended at the first attempt, and note by what. One whose process ends is not counted."""
    if job.manner != "held" or (BREWS / job.job_id).exists():
        return
    (BREWS / job.job_id).write_text(str(os.getpid()))
    try:
        await asyncio.Event().wait()
    except BaseException as error:
        (BREWS / job.job_id).write_text(type(error).__name__)
        raise


breaker = CircuitBreaker(
    "shop", failure_threshold=1, reset_timeout=600.0, failure_on=(TimeoutError,)
)


@activity(
    start_to_close_timeout=LIMIT,
    retry=RetryPolicy(max_attempts=1),
    breaker=breaker,
    on_circuit_open="fail",
)
def grind(job: Job) -> None:
    """Never end by itself."""
    ignore_the_soft_limit()


crawling = CircuitBreaker("crawling", failure_threshold=1, failure_on=(TimeoutError,))


@activity(start_to_close_timeout=LIMIT, retry=RetryPolicy(max_attempts=1), breaker=crawling)
def crawl(job: Job) -> None:
    """Never end by itself, and wait where the circuit is open."""
    ignore_the_soft_limit()


reopening = CircuitBreaker(
    "reopening", failure_threshold=1, reset_timeout=0.1, failure_on=(TimeoutError,)
)


@activity(start_to_close_timeout=300.0, breaker=reopening)
def linger(job: Job) -> None:
    """Take long enough for its process to be found and killed."""
    time.sleep(LONGER)


polite = CircuitBreaker("polite", failure_threshold=1, failure_on=(TimeoutError,))


@activity(start_to_close_timeout=LIMIT, retry=QUICK, breaker=polite)
def greet(job: Job) -> None:
    """Take no time."""


@activity(start_to_close_timeout=LIMIT, retry=QUICK)
def heed_the_limit(job: Job) -> None:
    """Take too long, and say so where one is stopped."""
    if job.manner == "slow":
        try:
            time.sleep(LONGER)
        except SoftTimeLimitExceeded:
            raise Refused("stopped") from None


@activity(start_to_close_timeout=LIMIT, retry=QUICK)
def undo_work(job: Job, nothing: None) -> None:
    """Take it back."""


@activity(start_to_close_timeout=LIMIT, retry=QUICK)
def approve(job: Job) -> None:
    """Refuse what is asked to be refused."""
    if job.manner == "refused":
        raise Refused("no")


@activity(start_to_close_timeout=60.0, retry=QUICK)
def handle_piece(piece: Piece) -> Item:
    """Take long at the first attempt at the second item, where that is asked for."""
    if piece.manner == "held" and piece.number == 2 and context().attempt == 1:
        time.sleep(LONGER)
    return Item(number=piece.number)


@activity(start_to_close_timeout=LIMIT, retry=QUICK)
def undo_piece(piece: Piece, item: Item | None) -> None:
    """Take it back."""


PAYMENTS = Path(tempfile.gettempdir()) / "amends-test-payments"
"""What the receiver of `pay` knows: a file for each payment."""


@activity(start_to_close_timeout=60.0, retry=QUICK)
def pay(job: Job) -> Item:
    """Take effect at a receiver that knows no keys, and at the first attempt do not come to say so."""
    PAYMENTS.mkdir(exist_ok=True)
    with (PAYMENTS / job.job_id).open("a") as payments:
        payments.write("1")
    if context().attempt == 1:
        time.sleep(LONGER)
    return Item(number=context().attempt)


class Sent(BaseModel):
    url: str


class LinkResult(Result):
    url: str | None


class Approval(BaseModel):
    granted: bool


@activity(retry=QUICK)
def send_link(job: Job) -> Sent:
    """Make a link to an approval."""
    return Sent(url=context().wait_url("approval", Approval(granted=True)))


@activity(start_to_close_timeout=LIMIT, retry=QUICK)
def find_payment(job: Job) -> Item | None:
    """Tell how often it was paid."""
    payments = PAYMENTS / job.job_id
    return Item(number=len(payments.read_text())) if payments.exists() else None


grind_saga = Saga(
    "grind", input=Job, output=Result, steps=[Step(grind, compensation=None, outcome="ground")]
)
crawl_saga = Saga(
    "crawl", input=Job, output=Result, steps=[Step(crawl, compensation=None, outcome="crawled")]
)
linger_saga = Saga("linger", input=Job, output=Result, steps=[Step(linger, compensation=None)])
shop_saga = Saga(
    "shop",
    input=Job,
    output=Result,
    steps=[Step(work, compensation=undo_work), Step(approve, compensation=None, outcome="refused")],
)
polite_saga = Saga(
    "polite",
    input=Job,
    output=Result,
    dispatch="inline",
    steps=[Step(greet, compensation=None), Step(work, compensation=undo_work)],
)
inline_saga = Saga(
    "inline_shop",
    input=Job,
    output=Result,
    dispatch="inline",
    steps=[
        Step(approve, compensation=None, outcome="refused"),
        Step(heed_the_limit, compensation=None, outcome="stopped"),
        Step(work, compensation=undo_work),
        Step(approve, name="approve_again", compensation=None),
    ],
)


def _wide(name: str, dispatch: Any) -> Saga[Lot, Result]:
    return Saga(
        name,
        input=Lot,
        output=Result,
        dispatch=dispatch,
        steps=[
            Parallel(
                [Step(heed_the_limit, compensation=None, name="first")],
                Step(work, compensation=undo_work),
            ),
            Each(
                "input.items",
                Step(handle_piece, name="piece", compensation=undo_piece),
                concurrency=3,
            ),
            Step(approve, compensation=None, outcome="refused"),
        ],
    )


wide_sagas = {dispatch: _wide(f"wide_{dispatch}", dispatch) for dispatch in ("chain", "inline")}


def _paid(name: str, dispatch: Any) -> Saga[Job, Result]:
    return Saga(
        name,
        input=Job,
        output=Result,
        dispatch=dispatch,
        steps=[
            Step(work, compensation=undo_work),
            Step(pay, compensation=None, verify=find_payment, settle=0.1),
            Step(approve, compensation=None, outcome="refused"),
        ],
    )


paid_sagas = {dispatch: _paid(f"paid_{dispatch}", dispatch) for dispatch in ("chain", "inline")}


def _linked(name: str, dispatch: Any) -> Saga[Job, LinkResult]:
    return Saga(
        name,
        input=Job,
        output=LinkResult,
        outputs={"url": "send_link.url"},
        dispatch=dispatch,
        steps=[
            Step(approve, compensation=None, outcome="refused"),
            Step(send_link, compensation=None),
            Wait("approval", Approval, timeout=600.0),
            Step(work, compensation=undo_work),
        ],
    )


linked_sagas = {
    dispatch: _linked(f"linked_{dispatch}", dispatch) for dispatch in ("chain", "inline")
}


def _brewed(name: str, dispatch: Any) -> Saga[Job, Result]:
    return Saga(
        name,
        input=Job,
        output=Result,
        dispatch=dispatch,
        steps=[
            Step(brew, compensation=undo_work),
            Step(keep_warm, compensation=None),
            Step(approve, compensation=None, outcome="refused"),
        ],
    )


brewed_sagas = {
    dispatch: _brewed(f"brewed_{dispatch}", dispatch) for dispatch in ("chain", "inline")
}
