"""Many calls meet a circuit that opens again and again: each waits, spends no attempt, and is made once."""

import re
import time
import uuid
from collections import Counter, defaultdict
from datetime import datetime

import pytest
from celery import signals

from amends import CircuitBreaker, NotDone, RetryPolicy, Saga, Step, activity
from amends.dispatch.messages import DEFERRALS_HEADER
from tests.support.engine_saga import Job, engine_saga
from tests.support.eventually import eventually

CYCLES = 3
THRESHOLD = 3
MOST_WHILE_PROBED = 10  # for jitters up to 1, 2, 4 ... s are longer by then than any probe
AT_ONCE = 4  # the worker's threads
PATIENCE = 400.0  # with a machine that does a lot besides

reluctant = CircuitBreaker(
    "test-reluctant", failure_threshold=THRESHOLD, reset_timeout=0.5, failure_on=(NotDone,)
)


@activity(
    retry=RetryPolicy(max_attempts=20, initial_interval=0.01, max_interval=0.01, jitter=0.0),
    start_to_close_timeout=PATIENCE,
    breaker=reluctant,
)
def deliver(job: Job) -> None:
    engine_saga.play(job)


def saga_of(name, timeout=None):
    steps = [Step(deliver, compensation=None, outcome="undelivered")]
    return Saga(name, input=Job, output=Job, steps=steps, timeout=timeout)


delivering = saga_of("delivering")
delivering_soon = saga_of("delivering_soon", timeout=10.0)


class Service:
    """Is down until its breaker has opened once, and again after each of three probes.

    The probe that finds it up is answered once every other call has been put off.
    """

    def __init__(self, rest, keys, is_put_off):
        self.failed = Counter()
        self.last_probe = None
        self._rest, self._keys, self._is_put_off = rest, keys, is_put_off
        for key in keys:
            engine_saga.script(key, *[self.answer] * 20)

    def answer(self, key):
        if transitions().count("opened") <= CYCLES:
            self.failed[key] += 1
            raise NotDone("away", retry_after=self._rest)
        if self.last_probe is None:
            self.last_probe = key
            others = [each for each in self._keys if each != key]
            eventually(lambda: all(map(self._is_put_off, others)), timeout=PATIENCE)
        engine_saga.world.make(key)


def transitions():
    names = [event.name.removeprefix("breaker.") for event in reluctant.history()]
    return names[len(names) - names[::-1].index("reset") :]


class Post:
    """Knows of every message that was published: whose it was, how long it was put off, and how often before."""

    def __init__(self):
        self.waits = defaultdict(list)
        self.ids = defaultdict(set)
        self.counted = {}
        self.published = Counter()

    def note(self, headers, **_):
        eta = headers["eta"]
        wait = datetime.fromisoformat(eta).timestamp() - time.time() if eta else 0.0
        whose = headers["root_id"]  # the saga's id, or the call's own
        self.waits[whose].append(wait)
        self.ids[whose].add(headers["id"])
        self.counted[whose] = headers.get(DEFERRALS_HEADER, 0)
        self.published[headers["id"]] += 1

    def again(self, whose):
        """Count the messages under an id that there was before; a sweep's, for one it took for lost, has another."""
        return len(self.waits[whose]) - len(self.ids[whose])

    def is_put_off(self, key):
        """Tell whether the message of this key was published again."""
        return self.again(key.partition(":")[0]) >= 1

    def is_read(self):
        """Tell whether the worker is through with all of them."""
        return all(engine_saga.ended[each] == count for each, count in list(self.published.items()))


@pytest.fixture
def post():
    post = Post()
    signals.after_task_publish.connect(post.note)
    yield post
    signals.after_task_publish.disconnect(post.note)


@pytest.fixture(autouse=True)
def closed(work):
    reluctant.reset()


def start_sagas(ids):
    delivering.start_many([Job(job_id=each) for each in ids], saga_ids=ids)


def start_alone(ids):
    for each in ids:
        deliver.task.apply_async(args=[{"job_id": each}], task_id=each)


@pytest.mark.parametrize(
    ("many", "rest"),
    [
        pytest.param(100, 1.0, id="100"),
        pytest.param(1000, 6.0, id="1000", marks=[pytest.mark.long, pytest.mark.timeout(900)]),
    ],
)
@pytest.mark.parametrize(
    ("start", "record"),
    [pytest.param(start_sagas, ":deliver", id="sagas"), pytest.param(start_alone, "", id="alone")],
)
def test_three_cycles_spend_no_attempt_and_double_nothing(work, post, start, record, many, rest):
    ids = [uuid.uuid4().hex for _ in range(many)]
    keys = {each: f"{each}{record}" for each in ids}
    service = Service(rest, keys.values(), post.is_put_off)
    start(ids)
    eventually(lambda: work.world.in_force.issuperset(keys.values()), timeout=PATIENCE)
    eventually(post.is_read, timeout=PATIENCE)

    cycles = ["half_opened", "opened"] * CYCLES
    assert transitions() == ["opened", *cycles, "half_opened", "closed"]
    assert service.failed.total() <= THRESHOLD - 1 + AT_ONCE + CYCLES
    attempts = attempts_by_key()
    for each, key in keys.items():
        failed, again = service.failed[key], post.again(each)
        assert attempts[key] == list(range(1, failed + 2))
        assert work.world.made[key] == 1
        assert again >= 1 or key == service.last_probe
        assert again <= failed + CYCLES + 1 + MOST_WHILE_PROBED
        if start is start_sagas:
            hold_to_its_history(delivering.get(each), failed, again)
        else:
            assert post.counted[each] == again - failed
    put_off = [post.waits[each][1:] for each, key in keys.items() if not service.failed[key]]
    assert max(waits[0] for waits in put_off if waits) > rest / 2
    assert all(wait <= rest + 2.0**k for waits in put_off for k, wait in enumerate(waits))
    if start is start_sagas:
        hold_to_a_jitter_that_doubles([delivering.get(each) for each in ids])


def attempts_by_key():
    attempts = defaultdict(list)
    for call in engine_saga.calls:
        attempts[call.context.idempotency_key].append(call.context.attempt)
    return attempts


def hold_to_its_history(handle, failed, again):
    assert handle.status == "completed"
    assert handle.snapshot().steps["deliver"].attempts == failed + 1
    told = [e.details["error"]["type"] for e in handle.history() if e.name == "step.retrying"]
    assert (told.count("NotDone"), len(told)) == (failed, again)


def hold_to_a_jitter_that_doubles(handles):
    """Hold each wait to what the circuit said, and a jitter of up to 1, 2, 4 ... s."""
    jitters = defaultdict(list)
    for handle in handles:
        retries = [event for event in handle.history() if event.name == "step.retrying"]
        for k, event in enumerate(retries):
            if said := re.search("is open; try again in (.*) s", event.details["error"]["message"]):
                jitters[k].append(event.details["wait"] / 1000 - float(said[1]))
    for k, drawn in jitters.items():
        assert -0.06 <= min(drawn) <= max(drawn) <= 2.0**k + 0.06  # what it says is rounded
        if len(drawn) >= 25:  # enough that none of them is long by a chance of 0.55 ** 25
            assert max(drawn) > 0.55 * 2.0**k


def test_a_probe_under_way_is_not_waited_for_as_long_as_it_may_take(work, saga_id):
    """Its lease is longer than this saga's time."""
    for _ in range(THRESHOLD):
        reluctant.acquire().failure()
    eventually(lambda: reluctant.retry_after == 0)
    reluctant._gate().forget()
    probe = reluctant.acquire(lease=3600.0)
    handle = delivering_soon.start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: "step.retrying" in [event.name for event in handle.history()])
    probe.success()
    handle.wait(timeout=60)
    assert handle.outcome == "completed"
