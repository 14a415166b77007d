"""The saga log's scripts under everything at once: kills, duplicates, losses, late effects, cancels."""

from functools import partial

import fakeredis
import pytest
import redis
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from amends.log.saga_log import SagaLog
from tests.properties.saga_machine import SagaMachine

pytestmark = pytest.mark.timeout(600)  # to shrink what fails

_SETTINGS = settings(
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def run(client: redis.Redis, *, number: int, examples: int, steps: int) -> None:
    """Run so many sagas, so many rules each; the same number is the same sagas."""
    factory = seed(number)(partial(SagaMachine, SagaLog(client), client))
    how = settings(_SETTINGS, max_examples=examples, stateful_step_count=steps)
    run_state_machine_as_test(factory, settings=how)


@pytest.fixture
def client(redis_url):
    with redis.Redis.from_url(redis_url, decode_responses=True) as real:
        yield real


@pytest.mark.parametrize("number", range(3))
def test_a_saga_survives_whatever_happens(client, number):
    run(client, number=number, examples=25, steps=40)


def test_the_simulated_redis_of_the_test_kit_answers_the_same():
    run(fakeredis.FakeRedis(decode_responses=True), number=9, examples=3, steps=25)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", range(100, 110))
def test_many_sagas_survive_whatever_happens(client, number):
    run(client, number=number, examples=1000, steps=60)
