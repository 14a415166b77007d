"""Which messages are lost: by what workers have in hand, and by how far queues were consumed."""

import time
from collections import deque
from collections.abc import Callable
from functools import cache, partial
from typing import Final

from celery import Celery

from amends.dispatch.broker import gives_back, queue_length
from amends.dispatch.custody import Custody, sagas_of
from amends.dispatch.routing import watched_queue
from amends.log.heartbeats import KEPT, Heartbeat
from amends.log.in_flight import Waiting
from amends.log.liveness import Hand, Verdict, judge_message
from amends.log.saga_log import SagaLog
from amends.log.watermarks import Reading, watermark_name

_WATCHED_FOR: Final = 120.0
"""Seconds for which a queue's watermark is read at each sweep, from when a saga last waited for it."""

_READINGS: Final = 4


class LostMessages:
    """Judges the messages that nobody has claimed, over the sweeps of one worker.

    may_judge: asked before a worker is declared dead.
    """

    def __init__(self, app: Celery, log: SagaLog, *, may_judge: Callable[[], bool]) -> None:
        self._app = app
        self._log = log
        self._may_judge = may_judge
        self._dead: dict[str, Heartbeat] = {}  # by worker
        self._watched: dict[str, float] = {}  # when each queue was last asked for
        self._readings: deque[Reading] = deque(maxlen=_READINGS)

    def begin_sweep(self) -> list[str]:
        """Read anew what workers tell, and how far queues were consumed. Raises `LogUnavailable`.

        Returns the sagas whose messages were in hand of workers that died since; they may have gone on.
        """
        beats = self._log.workers.read_heartbeats(within=KEPT, known=self._dead)
        last = self._dead | {beat.worker: beat for beat in beats}
        self._custody = Custody(
            last.values(), may_judge=self._may_judge(), gives_back=gives_back(self._app)
        )
        self._length = cache(partial(queue_length, self._app))  # one question a queue and sweep
        self._read_watermarks()
        fallen = [beat for beat in self._custody.dead if self._dead.get(beat.worker) is not beat]
        self._now = max((beat.at + beat.age for beat in beats), default=0.0)
        kept = [beat for beat in self._custody.dead if beat.at > self._now - KEPT]
        self._dead = {beat.worker: beat for beat in kept}
        return [saga_id for beat in fallen for saga_id in sagas_of(beat)]

    def judge(self, saga_id: str, message: Waiting) -> Verdict | None:
        """Judge a saga's message; None if the next sweep can tell, or a worker that may judge.

        A suspect that is sent as its queue's probe is lost. Raises `LogUnavailable`, and kombu's ``OperationalError``
        with the broker away.
        """
        record = message.itinerary.records[message.path]
        has_own = not message.is_advance and not record.step.stands
        queue, watched = watched_queue(self._app, record if has_own else None, saga_id)
        hand = self._custody.hand_of(saga_id, message.path, number=message.number)
        if self._custody.is_in_doubt(saga_id, message.path, number=message.number):
            return None
        is_asked = message.times > 0 and hand not in (Hand.HELD, Hand.DROPPED)
        judge = partial(
            judge_message,
            message,
            hand=hand,
            age=self._now - message.sent_at,
            is_all_told=self._custody.is_all_told(queue),
            length=self._length(queue) if queue and is_asked else None,
            is_consumed=self._custody.may_consume(queue),
        )
        verdict = judge(watermark=0.0)
        if verdict is Verdict.LOST or (verdict is not Verdict.SUSPECT and not is_asked):
            return verdict
        return self._judge_by_watermark(watermark_name(watched, message.app), judge)

    def _judge_by_watermark(self, queue: str, judge: Callable[..., Verdict]) -> Verdict | None:
        newest, settled = self._watermarks(queue)
        verdict = judge(watermark=settled)
        if verdict is not Verdict.LOST and judge(watermark=newest) is Verdict.LOST:
            return None
        if verdict is Verdict.SUSPECT and self._log.watermarks.permit_probe(
            queue, watermark=newest
        ):
            return Verdict.LOST
        return verdict

    def _watermarks(self, queue: str) -> tuple[float, float]:
        """Return a queue's newest watermark, and that of before all live workers told what they have in hand."""
        self._watched[queue] = time.monotonic()
        known = [each for each in self._readings if queue in each.watermarks]
        if not known:
            known = [self._log.watermarks.read_watermarks([queue])]
            self._readings.extend(known)
        settled = [each.watermarks[queue] for each in known if each.at <= self._custody.told_at]
        return known[-1].watermarks[queue], max(settled, default=0.0)

    def _read_watermarks(self) -> None:
        since = time.monotonic() - _WATCHED_FOR
        self._watched = {queue: at for queue, at in self._watched.items() if at > since}
        if not self._watched:
            return
        unsettled = [each for each in self._readings if each.at > self._custody.told_at]
        if unsettled[1:]:
            self._readings.pop()  # lest the first of them is pushed out before it has settled
        self._readings.append(self._log.watermarks.read_watermarks(list(self._watched)))
