"""A signal at the same moment as a time-out, a cancel, the saga's end, another signal or the beginning of its wait.

Each side is a process of its own, on one Redis, and a real worker carries each saga to its end.
"""

import uuid
from collections import Counter

import pytest

from amends.definition.states import RecordState
from tests.support.engine_saga import Job
from tests.support.eventually import eventually
from tests.support.race_finish import Finish
from tests.support.race_sides import state_of
from tests.support.racers import Racers
from tests.support.sagas.wide import DISPATCHES
from tests.support.wait_races import RACES

pytestmark = pytest.mark.usefixtures("swept")

SEED = 17
BATCH = 15
"""Sagas of a batch, which all go to the next step the same way."""


@pytest.fixture(scope="module")
def racers(app):
    with Racers(app) as racers:
        yield racers


@pytest.mark.parametrize("name", RACES)
@pytest.mark.parametrize(
    "batches", [2, pytest.param(61, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_each_race_has_one_winner_and_all_are_told_the_same(work, racers, log, name, batches):
    race, winners = RACES[name], Counter()
    for batch in range(batches):
        ids = [uuid.uuid4().hex for _ in range(BATCH)]
        saga = race.sagas[DISPATCHES[batch % 2]]
        handles = saga.start_many([Job(job_id=each) for each in ids], saga_ids=ids)
        if not race.is_before:
            for each in ids:
                eventually(lambda each=each: state_of(log, each) is RecordState.WAITING)
        told = racers.race(name, ids, seed=SEED + batch)
        for handle, answers in zip(handles, told, strict=True):
            handle.wait(timeout=60)
            winners[Finish(race, handle, answers, log).check()] += 1
    assert len(winners) > 1, f"all have the same winner: {winners}"
