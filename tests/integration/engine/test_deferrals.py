"""Many calls meet a circuit that opens again and again: each waits, spends no attempt, and is made once."""

import time
import uuid
from collections import Counter, defaultdict
from datetime import datetime

import pytest
from bench import Job, bench
from celery import signals

from amends import CircuitBreaker, NotDone, RetryPolicy, Saga, Step, activity
from amends.messages import DEFERRALS_HEADER

CYCLES = 3
THRESHOLD = 3
AT_ONCE = 4  # the worker's threads

reluctant = CircuitBreaker(
    "test-reluctant", failure_threshold=THRESHOLD, reset_timeout=0.5, failure_on=(NotDone,)
)


@activity(
    retry=RetryPolicy(max_attempts=20, initial_interval=0.01, max_interval=0.01, jitter=0.0),
    breaker=reluctant,
)
def deliver(job: Job) -> None:
    bench.play(job)


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
            bench.script(key, *[self.answer] * 20)

    def answer(self, key):
        if transitions().count("opened") <= CYCLES:
            self.failed[key] += 1
            raise NotDone("away", retry_after=self._rest)
        if self.last_probe is None:
            self.last_probe = key
            others = [each for each in self._keys if each != key]
            bench.wait_until(lambda: all(map(self._is_put_off, others)), timeout=50)
        bench.world.make(key)


def transitions():
    names = [event.name.removeprefix("breaker.") for event in reluctant.history()]
    return names[len(names) - names[::-1].index("reset") :]


class Post:
    """Knows of every message that was published: whose it was, how long it was put off, and how often before."""

    def __init__(self):
        self.waits = defaultdict(list)
        self.counted = {}
        self.published = Counter()

    def note(self, headers, **_):
        eta = headers["eta"]
        wait = datetime.fromisoformat(eta).timestamp() - time.time() if eta else 0.0
        self.waits[headers["root_id"]].append(wait)  # which is the saga's id, or the call's own
        self.counted[headers["root_id"]] = headers.get(DEFERRALS_HEADER, 0)
        self.published[headers["id"]] += 1

    def is_put_off(self, key):
        """Tell whether the message of this key was published again."""
        return len(self.waits[key.partition(":")[0]]) > 1

    def is_read(self):
        """Tell whether the worker is through with all of them."""
        return all(bench.ended[each] == count for each, count in list(self.published.items()))


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
        pytest.param(1000, 6.0, id="1000", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
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
    work.wait_until(lambda: work.world.in_force.issuperset(keys.values()), timeout=300)
    work.wait_until(post.is_read)

    again = ["half_opened", "opened"] * CYCLES
    assert transitions() == ["opened", *again, "half_opened", "closed"]
    assert service.failed.total() <= THRESHOLD - 1 + AT_ONCE + CYCLES
    attempts = attempts_by_key()
    for each, key in keys.items():
        failed, messages = service.failed[key], len(post.waits[each])
        assert attempts[key] == list(range(1, failed + 2))
        assert work.world.made[key] == 1
        assert messages > 1 or key == service.last_probe
        assert messages <= 1 + failed + 3 * (CYCLES + 1)
        if start is start_sagas:
            hold_to_its_history(delivering.get(each), failed, messages)
        else:
            assert post.counted[each] == messages - 1 - failed
    hold_to_the_back_off(
        [post.waits[e][1:] for e, key in keys.items() if not service.failed[key]], rest
    )


def attempts_by_key():
    attempts = defaultdict(list)
    for call in bench.calls:
        attempts[call.context.idempotency_key].append(call.context.attempt)
    return attempts


def hold_to_its_history(handle, failed, messages):
    assert handle.status == "completed"
    assert handle.snapshot().steps["deliver"].attempts == failed + 1
    told = [e.details["error"]["type"] for e in handle.history() if e.name == "step.retrying"]
    assert (told.count("NotDone"), len(told)) == (failed, messages - 1)


def hold_to_the_back_off(waits, rest):
    """Hold that each is put off for as long as the circuit is open, and a jitter that doubles each time."""
    for k in range(3 * (CYCLES + 1)):
        drawn = [each[k] for each in waits if len(each) > k]
        assert all(wait <= rest + 2.0**k for wait in drawn)
        if len(drawn) >= 60:  # enough that none of them is long by a chance of 0.75 ** 60
            assert max(drawn) > rest + 2.0**k / 2


def test_a_probe_under_way_is_not_waited_for_as_long_as_it_may_take(work, saga_id):
    """Its lease is longer than this saga's time."""
    for _ in range(THRESHOLD):
        reluctant.acquire().failure()
    work.wait_until(lambda: reluctant.retry_after == 0)
    reluctant._gate().forget()
    probe = reluctant.acquire(lease=3600.0)
    handle = delivering_soon.start(Job(job_id=saga_id), saga_id=saga_id)
    work.wait_until(lambda: "step.retrying" in [event.name for event in handle.history()])
    probe.success()
    handle.wait(timeout=30)
    assert handle.outcome == "completed"
