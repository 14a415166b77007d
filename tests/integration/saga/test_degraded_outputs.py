"""A saga's output says which steps went otherwise than they should, and why."""

from pydantic import BaseModel

from amends import NotDone, Refused, Saga, Step
from tests.support.engine_saga import Job, do_b, do_b_otherwise, do_c, undo_b, without_effect


class Told(BaseModel):
    outcome: str
    degraded: list[str]


degrading = Saga(
    "degrading",
    input=Job,
    output=Told,
    steps=[
        Step(do_b, name="b", fallback=do_b_otherwise, compensation=undo_b, outcome="no_b"),
        Step(do_c, name="c", compensation=None, on_failure="continue"),
    ],
)


def run(saga_id):
    return degrading.start(Job(job_id=saga_id), saga_id=saga_id).wait(timeout=60)


def test_nothing_is_said_of_a_saga_that_went_as_it_should(work, saga_id):
    work.script(f"{saga_id}:b", without_effect(NotDone("away")))  # and is there the next time
    assert run(saga_id) == Told(outcome="completed", degraded=[])


def test_a_step_that_went_to_its_fallback_is_named_with_the_reason(work, saga_id):
    work.script(f"{saga_id}:b", *[without_effect(NotDone("away"))] * 3)
    assert run(saga_id).degraded == ["b went to its fallback: NotDone: away"]


def test_so_it_is_where_the_fallback_failed_too(work, saga_id):
    work.script(f"{saga_id}:b", *[without_effect(NotDone("away"))] * 3)
    work.script(f"{saga_id}:b:fallback", without_effect(Refused("no")))
    told = run(saga_id)
    assert told == Told(outcome="no_b", degraded=["b went to its fallback: NotDone: away"])


def test_a_step_that_was_passed_over_is_named_with_its_error(work, saga_id):
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    told = run(saga_id)
    assert told == Told(outcome="completed", degraded=["c was passed over: Refused: no"])
