"""A small app of its own, run by workers with every kind of pool; the settings come from the environment."""

import os
import time
from contextlib import suppress

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from pydantic import BaseModel

from amends import CircuitBreaker, Refused, RetryPolicy, Saga, Step, activity, context

app = Celery("shop", broker=os.environ["CELERY_BROKER_URL"])
app.conf.update(
    amends_backend=os.environ["AMENDS_BACKEND"],
    amends_sweep_interval=0.2,
    amends_hard_limit_after=1.0,
    amends_give_up_after=2.0,
    worker_prefetch_multiplier=1,
    worker_lost_wait=1.0,
)

LIMIT = 0.5
LONGER = 4.0
QUICK = RetryPolicy(max_attempts=2, initial_interval=0.01, jitter=0.0)


class Job(BaseModel):
    job_id: str
    manner: str


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
