"""The saga log: one method for each atomic transition, and the reads."""

import os
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, Literal

import redis
from celery import Celery

from amends.acts import Acts
from amends.answers import (
    Done,
    Entry,
    Next,
    Publish,
    Run,
    Running,
    Standing,
    Stop,
    Waiting,
    open_fields,
)
from amends.config import Settings, client_of, settings_of
from amends.errors import SagaAlreadyStarted, UnknownSaga
from amends.events import Event
from amends.gauges import Readings
from amends.itinerary import Itinerary
from amends.observers import tell_observers
from amends.outbox import NOWHERE, Delivery
from amends.payload import canonical_json
from amends.states import ENDED, SagaStatus
from amends.store import Store, Tell
from amends.workers import Workers

Cost = Literal["attempt", "death", "nothing"]

LOOK_AGAIN: Final = 10
"""Seconds between two looks at what runs."""


_FOUND: Final[Mapping[str, type[Publish | Running | Waiting]]] = {
    "publish": Publish,
    "running": Running,
    "waiting": Waiting,
}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Who claims a record: its owner, under a token, for a message that was tried so often."""

    token: str
    owner: str
    retries: int


class SagaLog:
    """The saga log. Its methods raise `LogUnavailable` when Redis cannot be reached."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        shards: int = 64,
        give_up_after: float = 15.0,
        max_countdown: float = 300.0,
        tell: Tell | None = None,
    ) -> None:
        self._store = Store(client, shards=shards, tell=tell)
        self.acts = Acts(self._store)
        self.workers = Workers(self._store)
        self._give_up_after = give_up_after
        self._max_countdown = max_countdown
        self._itineraries: dict[str, Itinerary] = {}
        self._defined: set[tuple[int, str]] = set()

    # Starting

    def start_saga(
        self, saga_id: str, itinerary: Itinerary, saga_input: str
    ) -> int | SagaStatus | None:
        """Write a new saga; answer the number of its first message, or where it is if it was started.

        Raises `SagaAlreadyStarted` where the id belongs to another saga.
        """
        answer = self.start_sagas(itinerary, [(saga_id, saga_input)])[0]
        if isinstance(answer, SagaAlreadyStarted):
            raise answer
        return answer

    def start_sagas(
        self,
        itinerary: Itinerary,
        starts: Sequence[tuple[str, str]],
        messages: Sequence[Delivery] | None = None,
    ) -> list[int | SagaStatus | SagaAlreadyStarted | None]:
        """`start_saga` for many ids and inputs, in one round trip; what it would raise is an answer.

        With `messages` the first of each is delivered too, into one queue; its answer is None then.
        """
        texts = [each.text for each in messages] if messages else [""] * len(starts)
        sends = [(*start, text) for start, text in zip(starts, texts, strict=True)]
        where = messages[0].place if messages else NOWHERE
        answers = self._send_starts(itinerary, sends, where)
        # A shard that lost its definitions, as after a flush, asks for them.
        lacking = [k for k, answer in enumerate(answers) if answer[0] == "define"]
        if lacking:
            self._defined.clear()
            again = self._send_starts(itinerary, [sends[k] for k in lacking], where)
            for k, answer in zip(lacking, again, strict=True):
                answers[k] = answer
        return [
            _started(saga_id, *answer) for (saga_id, _), answer in zip(starts, answers, strict=True)
        ]

    def _send_starts(
        self, itinerary: Itinerary, starts: Sequence[tuple[str, str, str]], where: Sequence[Any]
    ) -> list[list[Any]]:
        timeout = "" if itinerary.timeout is None else int(itinerary.timeout * 1000)
        of_all = [itinerary.saga, itinerary.digest, timeout, len(itinerary.steps)]

        def shared(shard: int) -> list[Any]:
            mark = (shard, itinerary.digest)
            if mark in self._defined:
                return [*of_all, "", "", *where]
            self._defined.add(mark)
            return [*of_all, itinerary.json_text, itinerary.plan, *where]

        self._itineraries[itinerary.digest] = itinerary
        return self._store.call_for_each("start_saga", starts, shared)

    # A task's two round trips

    def claim_step(
        self, saga_id: str, path: str, *, token: str, owner: str, retries: int, brought: str = ""
    ) -> Run | Done | Stop:
        """Claim a record for one task, by the claim table of the design."""
        *who, known, grace = self._claim(Claim(token=token, owner=owner, retries=retries))
        answer = self._store.call("claim_step", saga_id, path, *who, brought, known, grace)
        if answer[0] == "stop":
            return Stop(reason=answer[1])
        return Done() if answer[0] == "done" else self._run(answer)

    def complete_step(
        self,
        saga_id: str,
        path: str,
        *,
        token: str,
        output: str,
        link: str,
        claim: Claim | None = None,
        message: Delivery | None = None,
    ) -> Next:
        """Record that a record took effect. `link` is the path of the chain's next link, or ''.

        Where that may run it is claimed, with `claim`, or with `message` that one is delivered.
        """
        claimed = ["", "", 0, "", 0] if claim is None else self._claim(claim)
        delivered = [message.text, *message.place] if message else ["", *NOWHERE]
        arguments = [path, token, output, link, *claimed, *delivered]
        answer = self._store.call("complete_step", saga_id, *arguments)
        return (
            Next(action="run", run=self._run(answer)) if answer[0] == "run" else Next.read(answer)
        )

    def retry_step(
        self,
        saga_id: str,
        path: str,
        *,
        token: str,
        error: str,
        wait: float,
        unknown: bool,
        cost: Cost,
    ) -> Next:
        """End a claim unfinished: the record waits for its next attempt, unless the saga has turned.

        `cost` says what the claim cost: an attempt, or its owner's death, or nothing.
        """
        longest = round(self._max_countdown * 1000)
        arguments = [path, token, error, round(wait * 1000), int(unknown), cost, longest]
        return Next.read(self._store.call("retry_step", saga_id, *arguments))

    def fail_step(
        self,
        saga_id: str,
        path: str,
        *,
        token: str,
        error: str,
        unknown: bool,
        refused: bool,
        outcome: str,
        link: str,
        cost: Cost = "attempt",
    ) -> Next:
        """Record that a record failed for good, and what follows."""
        arguments = [path, token, error, int(unknown), int(refused), outcome, link, cost]
        return Next.read(self._store.call("fail_step", saga_id, *arguments))

    # Going on

    def dispatch_saga(
        self, saga_id: str, *, longest_wait: float, only_look: bool = False
    ) -> Publish | Running | Waiting | None:
        """Say what remains of a saga and number its messages; None if none is to be published.

        `only_look` leaves it at what is to be judged first, where a message should be under way.
        """
        arguments = [self._known(), round(longest_wait * 1000), int(only_look), LOOK_AGAIN * 1000]
        return self._found(self._store.call("dispatch_saga", saga_id, *arguments))

    def look_at_sagas(
        self, saga_ids: Sequence[str], *, longest_wait: float, again: int = LOOK_AGAIN
    ) -> list[Publish | Running | Waiting | Exception | None]:
        """Look at many sagas in one round trip; one that cannot be looked at answers its error.

        What runs is due again in `again` seconds.
        """
        arguments = [self._known(), round(longest_wait * 1000), 1, again * 1000]
        calls = [(self._store.keys_of(saga_id), [saga_id, *arguments]) for saga_id in saga_ids]
        answers = self._store.try_many("dispatch_saga", calls)
        return [each if isinstance(each, Exception) else self._found(each) for each in answers]

    def _found(self, answer: Sequence[Any]) -> Publish | Running | Waiting | None:
        if answer[0] == "nothing":
            return None
        kind, digest, text, *rest = answer
        itinerary = self._itinerary(digest, text)
        return _FOUND[kind].read(itinerary, rest)

    def note_unregistered(self, saga_id: str, path: str, *, task: str, most: int) -> str:
        """Note that a message met a worker that does not know its task; ``parked`` ends it."""
        arguments = [path, canonical_json(task)[1:-1], most]
        answer: str = self._store.call("note_unregistered", saga_id, *arguments)[0]
        return answer

    def take_due(self, *, lease: float, limit: int) -> list[str]:
        """Take sagas that are due, at most `limit` of each shard, for `lease` seconds."""
        calls = [
            ([self._store.due_key(n)], [round(lease * 1000), limit])
            for n in range(self._store.shards)
        ]
        return [saga_id for ids in self._store.call_many("take_due", calls) for saga_id in ids]

    def put_back(self, saga_ids: Iterable[str]) -> None:
        """Let sagas that were taken be due now, where they are alive still."""
        self._store.put_back(saga_ids)

    def hasten_sagas(self, count: int, *, beyond: float) -> int:
        """Draw so many of the sagas alive, and let those be due now that are not within `beyond` seconds; answers how many."""
        drawn = Counter(random.choices(range(self._store.shards), k=count))  # noqa: S311
        calls = [
            ([self._store.due_key(shard)], [some, round(beyond * 1000)])
            for shard, some in drawn.items()
        ]
        return sum(self._store.call_many("hasten_sagas", calls))

    def count_live(self) -> int:
        """Count the sagas that a sweep may come to look at."""
        return self._store.count_due()

    def read_gauges(self) -> Readings:
        """Read how the log as a whole stands."""
        return Readings.read(self._store)

    # Removing

    def read_ended(self, *, ago: float, limit: int) -> list[str]:
        """Read the ids of sagas that ended at least `ago` seconds ago, at most `limit` of each shard and end."""
        return self._store.read_index(ENDED, ago=ago, limit=limit)

    def remove_sagas(self, saga_ids: Iterable[str], *, kept_for: float) -> int:
        """Remove those of these sagas that ended more than `kept_for` seconds ago; answers how many."""
        calls = [
            (self._store.keys_of(saga_id), [saga_id, round(kept_for * 1000)])
            for saga_id in saga_ids
        ]
        return sum(self._store.call_many("remove_saga", calls))

    # Reading

    def read_saga(self, saga_id: str) -> Entry:
        """Read a saga as it stands. Raises `UnknownSaga`."""
        saga, _, _, definitions, *_ = self._store.keys_of(saga_id)
        fields: dict[str, str] = self._store.read(lambda client: client.hgetall(saga))
        if not fields:
            raise UnknownSaga(saga_id)
        digest = fields["definition"]
        if digest not in self._itineraries:
            text = self._store.read(lambda client: client.hget(definitions, digest))
            self._itineraries[digest] = Itinerary.from_json(text)
        return Entry(id=saga_id, itinerary=self._itineraries[digest], fields=open_fields(fields))

    def examine_saga(self, saga_id: str) -> Standing:
        """Read a saga at one moment, its history, and what remains of it. Raises `UnknownSaga`."""
        said, *answer = self._store.call("examine_saga", saga_id, self._known())
        if said == "unknown":
            raise UnknownSaga(saga_id)
        digest, text, *rest = answer
        return Standing.read(saga_id, self._itinerary(digest, text), rest)

    def read_status(self, saga_id: str) -> SagaStatus:
        """Read where a saga is. Raises `UnknownSaga`."""
        status = self._store.read(
            lambda client: client.hget(self._store.keys_of(saga_id)[0], "status")
        )
        if status is None:
            raise UnknownSaga(saga_id)
        return SagaStatus(status)

    def read_history(self, saga_id: str) -> list[Event]:
        """Read every event of a saga, in order. Raises `UnknownSaga`."""
        texts = self._store.read(
            lambda client: client.lrange(self._store.keys_of(saga_id)[1], 0, -1)
        )
        if not texts:
            raise UnknownSaga(saga_id)
        return [Event.from_json(text) for text in texts]

    def read_counters(self) -> dict[tuple[str, ...], int]:
        """Read what the transitions of all sagas counted, by the words of ``lua/moves.lua``."""
        return self._store.read_counters()

    # Claims

    def _claim(self, claim: Claim) -> list[Any]:
        """Write a claim as the scripts take it."""
        grace = round(self._give_up_after * 1000)
        return [claim.token, claim.owner, claim.retries, self._known(), grace]

    def _run(self, answer: Sequence[Any]) -> Run:
        _, digest, text, *rest = answer
        return Run.read(self._itinerary(digest, text), rest)

    # The definitions that this process knows

    def _known(self) -> str:
        return ",".join(self._itineraries)

    def _itinerary(self, digest: str, text: str) -> Itinerary:
        if digest not in self._itineraries:
            self._itineraries[digest] = Itinerary.from_json(text)
        return self._itineraries[digest]


def _started(
    saga_id: str, said: str, value: str = ""
) -> int | SagaStatus | SagaAlreadyStarted | None:
    if said == "delivered":
        return None
    if said == "conflict":
        return SagaAlreadyStarted(saga_id, value)
    return int(value) if said == "started" else SagaStatus(value)


def log_of(app: Celery) -> SagaLog:
    """Return the saga log that this Celery app is configured for.

    Raises `ConfigurationError`.
    """
    return _log(app, settings_of(app), os.getpid())


@cache
def _log(app: Celery, settings: Settings, pid: int) -> SagaLog:  # noqa: ARG001 - a forked child gets its own
    return SagaLog(
        client_of(settings.backend),
        shards=settings.shards,
        give_up_after=settings.give_up_after,
        max_countdown=settings.max_countdown,
        tell=partial(tell_observers, app),
    )
