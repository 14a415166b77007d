"""Sagas that wait for a person who has a link, and the links that they sent."""

import amends
from amends import Parallel, Step, activity
from tests.support.engine_saga import QUICK, Job, Part, engine_saga
from tests.support.eventually import eventually
from tests.support.sagas.shapes import Approval, Order, approval, shape_of, step
from tests.support.sagas.wide import DISPATCHES

MAILED: dict[str, list[str]] = {}
"""The links that were sent, by saga."""


@activity(retry=QUICK)
def send_mail(job: Job) -> Part:
    """Send a link to approve and one to refuse."""
    urls = [
        amends.context().wait_url("approval", Approval(granted=granted), by=job.job_id[:4])
        for granted in (True, False)
    ]
    MAILED.setdefault(job.job_id, []).extend(urls)
    engine_saga.play(job)
    return Part(part=urls[0])


def each_way(name, *stages, **how):
    return {each: shape_of(f"{name}_{each}", *stages, dispatch=each, **how) for each in DISPATCHES}


MAIL = Step(send_mail, name="mail", compensation=None)
ASKED = each_way("linked", MAIL, approval(timeout=600.0), step("b"))
VOTED = each_way("linked_votes", MAIL, approval(count=2), step("b"))
LATER = each_way("linked_later", MAIL, step("a", when="input.gift"), approval(), step("b"))
BESIDE = each_way("linked_beside", Parallel([MAIL, approval(), step("c")], step("d")), step("e"))


def begin(saga, saga_id, **given):
    """Start a saga and wait until it waits. Returns its handle and the links of its mail."""
    handle = saga.start(Order(job_id=saga_id, **given), saga_id=saga_id)
    eventually(lambda: handle.snapshot().steps["approval"].state == "waiting")
    return handle, MAILED[saga_id]
