"""Queues, workers and sagas that each wait for one message, in a time that a test moves: for the rule of lost messages.

The rule (`judge_message`, `Custody`) is the engine's; what it is told is worked out here, as workers and the log do it.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field

from amends.backend.script_constants import LOST_AFTER, LOST_AFTER_AT_MOST, SOONER
from amends.dispatch.custody import Custody, sagas_of
from amends.dispatch.messages import task_id
from amends.log.heartbeats import Heartbeat
from amends.log.in_flight import Waiting
from amends.log.liveness import Verdict, judge_message
from tests.support.engine_saga import job_saga

BEAT, SWEEP, LOOK, LOOK_AT_MOST = 2, 5, 15, 120  # seconds
OTHER = "another task's"


@dataclass
class SagaInQueue:
    """A saga that waits for its message, the last of which has this number."""

    id: str
    queue: str
    sent_at: int
    number: int = 1
    times: int = 1
    due: int = 0
    is_claimed: bool = False


@dataclass
class Worker:
    """A worker that takes `pace` seconds for a task, and fetches `prefetch` messages ahead from its queues in turn."""

    name: str
    queues: tuple[str, ...]
    pace: int
    prefetch: int
    hand: deque = field(default_factory=deque)
    is_alive: bool = True
    beat: Heartbeat | None = None


class QueueWorld:
    """All of it, second by second."""

    def __init__(self) -> None:
        self.now = 1000
        self.sagas: dict[str, SagaInQueue] = {}
        self.queues: dict[str, deque] = defaultdict(deque)
        self.workers: list[Worker] = []
        self.watermarks: dict[str, int] = defaultdict(int)
        self.probes: dict[str, tuple[int, int]] = {}
        self.copies = 0
        self.needed = 0  # messages that were lost, and so had to be replaced
        self._readings: deque = deque(maxlen=4)
        self._dead: set[str] = set()

    def start(self, queue: str, count: int) -> None:
        for _ in range(count):
            saga = SagaInQueue(f"s-{len(self.sagas)}", queue, self.now, due=self.now + 10)
            self.sagas[saga.id] = saga
            self.queues[queue].append((saga.id, 1, self.now))

    def fill(self, queue: str, count: int) -> None:
        self.queues[queue].extend([(OTHER, 0, self.now)] * count)

    def kill(self, worker: Worker) -> None:
        """Let a worker die: what it has in hand is lost."""
        worker.is_alive = False
        self.needed += sum(self._is_needed(message) for message in worker.hand)
        worker.hand.clear()

    def in_hand(self, worker: Worker) -> list[tuple[str, int]]:
        """Return the sagas, and their numbers, whose last message a worker has told to have in hand."""
        told = worker.beat.messages if worker.beat else ()
        needed = [message[:2] for message in worker.hand if self._is_needed(message)]
        return [each for each in needed if task_id(*each, "a") in told]

    def drop(self, queue: str) -> None:
        """Let the broker lose all that is in a queue."""
        self.needed += sum(self._is_needed(message) for message in self.queues[queue])
        self.queues[queue].clear()

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            for worker in self.workers:
                if worker.is_alive:
                    self._work(worker)
            if self.now % SWEEP == 0:
                self._sweep()

    @property
    def alive(self) -> int:
        return sum(not saga.is_claimed for saga in self.sagas.values())

    @property
    def messages(self) -> int:
        """The messages of sagas, in queues and hands."""
        places = [*self.queues.values(), *(worker.hand for worker in self.workers)]
        return sum(message[0] != OTHER for place in places for message in place)

    def _is_needed(self, message: tuple[str, int, int]) -> bool:
        saga = self.sagas.get(message[0])
        return saga is not None and not saga.is_claimed and saga.number == message[1]

    def _work(self, worker: Worker) -> None:
        if self.now % worker.pace == 0 and worker.hand:
            self._claim(worker.hand.popleft())
        for queue in worker.queues:
            while self.queues[queue] and len(worker.hand) < worker.prefetch:
                worker.hand.append(self.queues[queue].popleft())
        if self.now % BEAT == 0:
            ids = [task_id(saga, n, "a") for saga, n, _ in worker.hand if saga != OTHER]
            worker.beat = Heartbeat(
                worker=worker.name,
                at=self.now,
                age=0,
                pids=frozenset(),
                messages=frozenset(ids),
                queues=frozenset(worker.queues),
            )

    def _claim(self, message: tuple[str, int, int]) -> None:
        saga = self.sagas.get(message[0])
        if saga is None:
            return
        is_copy, is_newest = message[1] > 1, message[1] == saga.number
        if is_copy or (is_newest and not saga.is_claimed):
            self.watermarks[saga.queue] = max(self.watermarks[saga.queue], message[2])
        saga.is_claimed = True

    # The sweep

    def _sweep(self) -> None:
        beats = [self._aged(worker.beat) for worker in self.workers if worker.beat]
        custody = Custody(beats, may_judge=True)
        self._readings.append((self.now, dict(self.watermarks)))
        settled = [marks for at, marks in self._readings if at <= custody.told_at]
        fallen = [beat for beat in custody.dead if beat.worker not in self._dead]
        self._dead |= {beat.worker for beat in fallen}
        named = {saga_id for beat in fallen for saga_id in sagas_of(beat)}
        for saga in self.sagas.values():
            if not saga.is_claimed and (saga.due <= self.now or saga.id in named):
                self._look(saga, custody, settled[-1] if settled else {})

    def _aged(self, beat: Heartbeat) -> Heartbeat:
        how = {"worker": beat.worker, "at": beat.at, "pids": beat.pids, "messages": beat.messages}
        return Heartbeat(**how, queues=beat.queues, age=self.now - beat.at)

    def _look(self, saga: SagaInQueue, custody: Custody, settled: dict[str, int]) -> None:
        patience = min(LOST_AFTER * 2 ** (saga.times - 1), LOST_AFTER_AT_MOST)
        age = self.now - saga.sent_at
        if age < patience / SOONER:
            saga.due = saga.sent_at + patience / SOONER
            return
        look = self.now + max(LOOK, min(age // 4, LOOK_AT_MOST))
        saga.due = look if age >= patience else min(saga.sent_at + patience, look)
        message = Waiting(
            itinerary=job_saga.itinerary,
            path="a",
            is_overdue=age >= patience,
            sent_at=saga.sent_at,
            times=saga.times,
            number=saga.number,
            is_advance=False,
        )
        verdict = judge_message(
            message,
            hand=custody.hand_of(saga.id, "a", number=saga.number),
            age=age,
            is_all_told=custody.is_all_told(saga.queue),
            length=len(self.queues[saga.queue]),
            is_consumed=custody.may_consume(saga.queue),
            watermark=settled.get(saga.queue, 0),
        )
        if verdict is Verdict.LOST or (
            verdict is Verdict.SUSPECT and self._permits_probe(saga.queue)
        ):
            self._replace(saga)

    def _permits_probe(self, queue: str) -> bool:
        """As ``permit_probe.lua`` does."""
        at, count = self.probes.get(queue, (0, 0))
        unclaimed = count if at > self.watermarks[queue] else 0
        if unclaimed and self.now < at + LOST_AFTER * 2**unclaimed:
            return False
        self.probes[queue] = self.now, unclaimed + 1
        return True

    def _replace(self, saga: SagaInQueue) -> None:
        saga.number += 1
        saga.times += 1
        saga.sent_at, saga.due = self.now, self.now + 10
        self.copies += 1
        self.queues[saga.queue].append((saga.id, saga.number, self.now))
