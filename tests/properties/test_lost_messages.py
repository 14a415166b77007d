"""Whatever happens to queues and workers, messages stay as many as sagas, and what is lost is found."""

from hypothesis import given, settings
from hypothesis import strategies as st

from amends.log.liveness import DEAD_AFTER
from tests.properties.queue_world import BEAT, LOOK_AT_MOST, SWEEP, QueueWorld, Worker

HOUR = 3600
NAMES = ["q0", "q1", "q2", "q3"]
paces = st.integers(1, 60)
some_queues = st.sets(st.sampled_from(NAMES), min_size=1)
workers = st.lists(st.tuples(some_queues, paces, st.integers(1, 16)), max_size=4)
backlogs = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 60), min_size=1)


def world_of(crew, sagas, others):
    world = QueueWorld()
    for n, (queues, pace, prefetch) in enumerate(crew):
        world.workers.append(Worker(f"w{n}", tuple(sorted(queues)), pace, prefetch))
    for queue, count in others.items():
        world.fill(queue, count)
    for queue, count in sagas.items():
        world.start(queue, count)
    return world


@settings(max_examples=30, deadline=None)
@given(workers, backlogs, backlogs, st.integers(0, 3))
def test_a_backlog_of_any_shape_is_not_made_longer_within_an_hour(crew, sagas, others, trickle):
    """At most five probes a queue: after 1, 3, 7, 15 and 31 minutes, and each one that was answered."""
    world = world_of(crew, sagas, others)
    for _ in range(HOUR // 120):
        world.pass_time(120)
        for queue in list(sagas)[:trickle]:
            world.start(queue, 1)
        assert world.messages <= world.alive + 6 * len(NAMES)
    assert world.needed == 0


@settings(max_examples=30, deadline=None)
@given(workers.filter(bool), backlogs, backlogs, st.integers(5, 200))
def test_what_a_worker_had_in_hand_is_replaced_soon_after_its_death(crew, sagas, others, after):
    world = world_of([*crew, ({"q0"}, 1, 1)], sagas, others)  # the last one sweeps
    world.pass_time(after)
    dying = world.workers[0]
    had = [world.sagas[saga_id] for saga_id, number in world.in_hand(dying)]
    numbers = [saga.number for saga in had]
    world.kill(dying)
    world.pass_time(int(DEAD_AFTER) + 2 * SWEEP + BEAT)
    for saga, number in zip(had, numbers, strict=True):
        assert saga.is_claimed or saga.number > number


@settings(max_examples=30, deadline=None)
@given(backlogs, st.integers(5, 300), paces)
def test_what_a_broker_lost_is_found_once_its_queue_has_passed_it(sagas, after, pace):
    """New sagas go on coming: their claims show how far the queue is."""
    world = world_of([(set(NAMES), 1, 4)], sagas, {})
    world.pass_time(min(after, 20))
    world.workers[0].pace = pace
    world.start("q0", 5)
    world.pass_time(3)
    world.drop("q0")
    lost = [saga for saga in world.sagas.values() if not saga.is_claimed]
    for _ in range(40):
        world.start("q0", 1)
        world.pass_time(30)
    world.workers[0].pace = 1
    world.pass_time(2 * LOOK_AT_MOST + 600)
    assert all(saga.is_claimed for saga in lost)
