"""The circuit breaker, in Redis and in a process, against its table under everything at once."""

import re
import uuid
from functools import partial

import fakeredis
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from amends.breaker.local_circuit import LocalCircuit
from amends.breaker.redis_access import RedisAccess
from amends.breaker.redis_circuit import RedisCircuit
from amends.testing.clock import Clock, keep_time
from tests.properties.breaker_machine import BreakerMachine
from tests.properties.breaker_model import MICROSECONDS
from tests.properties.moved_clock import MovedAccess

pytestmark = pytest.mark.timeout(600)  # to shrink what fails

_SETTINGS = settings(
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


class SharedPlant:
    def __init__(self, access, clock):
        self.access = access
        self.clock = clock

    def build(self, options):
        return RedisCircuit(f"b-{uuid.uuid4().hex}", options, self.access)

    def advance(self, seconds):
        self.clock.advance(seconds)

    def look(self, circuit):
        _, fields, probes = circuit.read()
        now = self.clock.now * MICROSECONDS
        own = f"f{fields.get('epoch', '0')}"
        failures = fields.get(own, "")
        events = [each["name"].removeprefix("breaker.") for each in circuit.read_events(1000)]
        return {
            "state": fields.get("state", "closed"),
            "override": fields.get("override"),
            "failures": len(failures.split(",")) if failures else 0,
            "opens": int(fields.get("opens", 0)),
            "successes": int(fields.get("successes", 0)),
            "probes": sorted(token for token, end in probes.items() if end > now),
            "late": int(fields.get("late", 0)),
            "events": events,
            "is_healthy": not self.access._client.exists(*circuit.keys),
            "left over": [each for each in fields if re.match("f[0-9]", each) and each != own],
        }


class LocalPlant:
    def __init__(self):
        self.clock = Clock()

    def build(self, options):
        return LocalCircuit(options, clock=lambda: round(self.clock.now * 1000) * 1000)

    def advance(self, seconds):
        self.clock.advance(seconds)

    def look(self, circuit):
        return {
            "state": circuit._state,
            "failures": len(circuit._failures),
            "opens": circuit._opens,
            "successes": circuit._successes,
            "probes": sorted(k for k, end in circuit._probes.items() if end > circuit._clock()),
        }


def run(plant, *, number, examples, steps, is_shared=True):
    """Run so many circuits, so many rules each; the same number is the same circuits."""
    factory = seed(number)(partial(BreakerMachine, plant, is_shared=is_shared))
    how = settings(_SETTINGS, max_examples=examples, stateful_step_count=steps)
    run_state_machine_as_test(factory, settings=how)


def real_plant(url):
    clock = Clock()
    return SharedPlant(MovedAccess(url, clock), clock)


def fake_plant():
    clock, client = Clock(), fakeredis.FakeRedis(decode_responses=True)
    keep_time(client, clock)
    return SharedPlant(RedisAccess(client), clock)


@pytest.mark.parametrize("number", range(2))
def test_a_breaker_in_redis_keeps_to_the_table(redis_url, number):
    plant = real_plant(redis_url)
    run(lambda: plant, number=number, examples=100, steps=40)


def test_the_simulated_redis_of_the_test_kit_answers_the_same():
    plant = fake_plant()
    run(lambda: plant, number=9, examples=10, steps=30)


def test_the_breaker_of_a_process_keeps_to_the_same_table():
    run(LocalPlant, number=0, examples=300, steps=40, is_shared=False)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", range(100, 110))
def test_many_breakers_keep_to_the_table(redis_url, number):
    plant = real_plant(redis_url)
    run(lambda: plant, number=number, examples=1000, steps=60)
