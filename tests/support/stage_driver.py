"""A saga of stages in the log that a test moves by hand, one transition at a time."""

from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

import redis
from celery import Celery

from amends import Saga
from amends.backend.script_constants import TIMED
from amends.definition.serialization import canonical_json
from amends.dispatch.remaining import dispatched
from amends.log.answers import Publish, Run
from amends.log.control import Signalled
from amends.log.in_flight import Branches, Dispatched
from amends.log.saga_log import SagaLog
from tests.support.clock import redis_now
from tests.support.log_driver import ERROR, Journey
from tests.support.log_view import view_of
from tests.support.sagas.shapes import Order

SIGNAL = '{"granted":true}'
PART = '{"part":"P"}'


class Course(Journey):
    """One saga of these stages in the log, and the transitions on it."""

    def __init__(
        self, log: SagaLog, client: redis.Redis, saga: Saga[Any, Any], **given: Any
    ) -> None:
        self._saga, self._given = saga, given
        super().__init__(log, client)

    def start(self) -> Any:
        """Start the saga with what the test gave."""
        order = Order(job_id=self.id, **self._given)
        text = canonical_json(order.model_dump(mode="json"))
        return self.log.starts.start_saga(self.id, self._saga.itinerary, text)

    def look(self) -> Dispatched:
        """Ask what remains, as who publishes it does: stages are opened."""
        with patch("amends.dispatch.remaining.log_of", lambda _: self.log):
            return dispatched(Celery(changes={"amends_backend": "memory://"}), self.id, 300.0)

    def remaining(self) -> list[str]:
        """Tell what a dispatch would publish, of each branch in its order."""
        match self.look():
            case Publish(records=records):
                return [path for path, _ in records]
            case Branches(found=found):
                chains = [each.records for each in found if isinstance(each, Publish)]
                return [path for chain in chains for path, _ in chain]
        return []

    def do(self, *paths: str) -> None:
        """Claim and complete each."""
        for path in paths:
            self.run(path)
            self.complete(path, output=PART)

    def omit(self, path: str) -> Any:
        """Claim a record, and say that its condition is false."""
        self.run(path)
        return self.complete(path, output="")

    def run(self, path: str, *, retries: int = 0) -> Run:
        """Claim a record."""
        answer = self.claim(path, retries=retries)
        assert isinstance(answer, Run), f"{path}: {answer}"
        return answer

    def ask(self, path: str, output: str, *, retries: int = 0) -> Any:
        """Claim a verification, and answer it."""
        self.run(path, retries=retries)
        return self.complete(path, output=output)

    def state(self, path: str) -> str:
        return self.log.read_saga(self.id).records[path].state.value

    def states(self, *paths: str) -> list[str]:
        records = self.log.read_saga(self.id).records
        return [records[path].state.value for path in paths]

    @property
    def outcome(self) -> str | None:
        return self.log.read_saga(self.id).outcome

    @property
    def reason(self) -> str | None:
        return self.log.read_saga(self.id).reason

    def names(self) -> list[str]:
        return [event.name for event in self.log.read_history(self.id)]

    def counted(self) -> dict[str, str]:
        """Return what the saga's shard has counted."""
        counters = view_of(self.log).keys_of(self.id)[10]
        found: dict[str, str] = self.client.hgetall(counters)
        return found

    def signal(
        self, name: str, value: str = SIGNAL, *, given: str | None = None, by: str | None = None
    ) -> Signalled:
        """Give the saga a signal, under the id `given`."""
        how, self.follows = self.log.control.signal_saga(
            self.id, name, value=value, signal_id=given, by=by
        )
        return how

    # What an operator and time do

    @property
    def cancel(self) -> Callable[..., Any]:
        return partial(self.log.control.cancel_saga, self.id, error=ERROR, actor={})

    @property
    def retry_saga(self) -> Callable[..., Any]:
        return partial(self.log.control.retry_saga, self.id, actor={})

    def skip(self, path: str, output: str = "") -> Any:
        return self.log.control.skip_step(self.id, path, output=output, actor={})

    def let_deadline_pass(self) -> None:
        """Let the saga's deadline have passed."""
        self.client.hset(self.saga_key, "deadline", int(redis_now(self.client) * 1000) - 1000)

    def let_wait_pass(self, path: str) -> None:
        """Let what a record waits for have passed."""
        code = self.log.read_saga(self.id).itinerary.code_of(path)
        now = int(redis_now(self.client) * 1000) - 1
        for letter in "wy":
            if self.client.hexists(self.saga_key, f"{code}.{letter}"):
                self.client.hset(self.saga_key, f"{code}.{letter}", now)

    def seconds_until(self, path: str, letter: str = "w") -> float | None:
        """Tell how many seconds a record waits still, None where it does not."""
        code = self.log.read_saga(self.id).itinerary.code_of(path)
        at = self.client.hget(self.saga_key, f"{code}.{letter}")
        return None if at is None else int(at) / 1000 - redis_now(self.client)

    def due_in(self) -> float | None:
        """Tell in how many seconds a sweep looks at the saga, None where none does."""
        at = view_of(self.log).due_at(self.id)
        return None if at is None else at % TIMED / 1000 - redis_now(self.client)

    @property
    def is_timed(self) -> bool:
        """Whether the saga is due among those that wait in the log."""
        at = view_of(self.log).due_at(self.id)
        return at is not None and at >= TIMED
