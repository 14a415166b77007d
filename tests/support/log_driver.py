"""A saga in the log that a test moves by hand, one transition at a time."""

import json
import uuid
from typing import Any

import redis

from amends.definition.serialization import canonical_json
from amends.log.answers import Claim, Continuation, Done, Run, Stop
from amends.log.delivery import Delivery
from amends.log.saga_log import SagaLog
from tests.support.log_view import view_of
from tests.support.sagas.trip import Trip, trip_saga

ERROR = json.dumps({"type": "Problem", "message": "it did not work"})


class Journey:
    """One saga in the log, and the transitions on it."""

    def __init__(self, log: SagaLog, client: redis.Redis) -> None:
        self.log = log
        self.client = client
        self.id = uuid.uuid4().hex
        keys = view_of(log)
        self.saga_key, self.due_key = keys.saga_key(self.id), keys.due_key_of(self.id)
        self.started = self.start()

    def start(self) -> Any:
        return self.log.starts.start_saga(self.id, trip_saga.itinerary, self.input())

    def input(self, **changes: Any) -> str:
        trip = Trip(trip_id=self.id, **changes)
        return canonical_json(trip.model_dump(mode="json"))

    def claim(
        self, path: str, token: str = "t", *, retries: int = 0, brought: str = ""
    ) -> Run | Done | Stop:
        return self.log.claim_step(
            self.id, path, token=token, owner="owner", retries=retries, brought=brought
        )

    def complete(
        self,
        path: str,
        token: str = "t",
        *,
        output: str = "null",
        link: str = "",
        claim: Claim | None = None,
        message: Delivery | None = None,
    ) -> Continuation:
        given = {"token": token, "output": output, "link": link}
        if claim:
            return self.log.complete_and_claim(self.id, path, **given, claim=claim)
        return self.log.complete_step(self.id, path, **given, message=message)

    def retry(
        self,
        path: str,
        token: str = "t",
        *,
        wait: float = 0.0,
        unknown: bool = True,
        cost: str = "attempt",
    ) -> Continuation:
        return self.log.retry_step(
            self.id, path, token=token, error=ERROR, wait=wait, unknown=unknown, cost=cost
        )

    def fail(
        self,
        path: str,
        token: str = "t",
        *,
        unknown: bool = False,
        refused: bool = False,
        link: str = "",
    ) -> Continuation:
        return self.log.fail_step(
            self.id,
            path,
            token=token,
            error=ERROR,
            unknown=unknown,
            refused=refused,
            outcome="lost",
            link=link,
        )

    def take_over(self, path: str, token: str, taken_from: str) -> bool:
        return self.log.take_over(self.id, path, token=token, taken_from=taken_from)

    def do(self, *paths: str) -> None:
        """Claim and complete each."""
        for path in paths:
            assert isinstance(self.claim(path), Run), path
            self.complete(path, output='{"ticket":"T","room":"R"}')

    def lose(self, path: str, **how: bool) -> Continuation:
        """Claim one and let it fail for good."""
        assert isinstance(self.claim(path), Run), path
        return self.fail(path, **how)

    def remaining(self) -> list[str]:
        """Tell what a dispatch would publish."""
        answer = self.log.dispatch_saga(self.id, longest_wait=300.0)
        return [] if answer is None else [path for path, _ in answer.records]

    def field(self, name: str) -> str | None:
        return self.log.read_saga(self.id).fields.get(name)

    @property
    def status(self) -> str:
        return self.log.read_status(self.id).value

    def events(self) -> list[str]:
        return [
            f"{e.name} {e.record}" if e.record else e.name for e in self.log.read_history(self.id)
        ]
