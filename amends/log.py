"""The saga log in Redis: one method for each atomic transition, and the reads.

All keys of a saga share a hash tag, ``{<shard>}``, with the sets of its shard, so that each
transition is one script on one slot.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar
from zlib import crc32

import redis
from celery import Celery
from pydantic_core import from_json
from redis.exceptions import NoScriptError

from amends.answers import Done, Entry, Next, Publish, Run, Running, Stop
from amends.config import Settings, client_of, settings_of
from amends.errors import ConfigurationError, LogUnavailable, SagaAlreadyStarted, UnknownSaga
from amends.events import Event
from amends.itinerary import Itinerary
from amends.lua import SCRIPTS
from amends.payload import canonical_json
from amends.states import SagaStatus

T = TypeVar("T")

_UNREACHABLE: Final = (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError)


class SagaLog:
    """The saga log. Its methods raise `LogUnavailable` when Redis cannot be reached."""

    def __init__(
        self, client: redis.Redis, *, shards: int = 64, give_up_after: float = 15.0
    ) -> None:
        self._client: Any = client  # redis-py leaves open whether replies are str
        self._shards = shards
        self._give_up_after = give_up_after
        self._itineraries: dict[str, Itinerary] = {}
        self._defined: set[tuple[int, str]] = set()
        self._digests: dict[str, str] = {}

    # Starting

    def start_saga(self, saga_id: str, itinerary: Itinerary, saga_input: str) -> int | SagaStatus:
        """Write a new saga; answer the number of its first message, or where it is if it was started.

        Raises `SagaAlreadyStarted` where the id belongs to another saga.
        """
        return self.start_sagas(itinerary, [(saga_id, saga_input)])[0]

    def start_sagas(
        self, itinerary: Itinerary, starts: Sequence[tuple[str, str]]
    ) -> list[int | SagaStatus]:
        """`start_saga` for many ids and inputs, in one round trip."""
        answers = self._send_starts(itinerary, starts)
        # A shard that lost its definitions, as after a flush, asks for them.
        lacking = [k for k, answer in enumerate(answers) if answer[0] == "define"]
        if lacking:
            self._defined.clear()
            again = self._send_starts(itinerary, [starts[k] for k in lacking])
            for k, answer in zip(lacking, again, strict=True):
                answers[k] = answer
        for (saga_id, _), answer in zip(starts, answers, strict=True):
            if answer[0] == "conflict":
                raise SagaAlreadyStarted(saga_id, answer[1])
        return [
            int(number) if said == "started" else SagaStatus(number) for said, number in answers
        ]

    def _send_starts(
        self, itinerary: Itinerary, starts: Sequence[tuple[str, str]]
    ) -> list[list[Any]]:
        timeout = "" if itinerary.timeout is None else int(itinerary.timeout * 1000)
        calls = []
        for saga_id, saga_input in starts:
            mark = (self._shard(saga_id), itinerary.digest)
            body = ("", "") if mark in self._defined else (itinerary.json_text, itinerary.plan)
            arguments = [saga_id, itinerary.saga, itinerary.digest, saga_input, timeout, *body]
            calls.append((self._keys(saga_id), arguments))
            self._defined.add(mark)
        self._itineraries[itinerary.digest] = itinerary
        return self._call_many("start_saga", calls)

    # A task's two round trips

    def claim_step(
        self, saga_id: str, path: str, *, token: str, owner: str, retries: int, brought: str = ""
    ) -> Run | Done | Stop:
        """Claim a record for one task, by the claim table of the design."""
        grace = round(self._give_up_after * 1000)
        arguments = [path, token, owner, retries, brought, self._known(), grace]
        answer = self._call("claim_step", saga_id, *arguments)
        if answer[0] == "stop":
            return Stop(reason=answer[1])
        if answer[0] == "done":
            return Done()
        _, digest, text, attempts, tries, given_up_in, left, output, *pairs = answer
        itinerary = self._itinerary(digest, text)
        codes, values = pairs[::2], pairs[1::2]
        return Run(
            itinerary=itinerary,
            attempts=int(attempts),
            tries=int(tries),
            time_left=int(given_up_in) / 1000,
            saga_time_left=None if left == "" else int(left) / 1000,
            sources={
                itinerary.source_name(code): from_json(value)
                for code, value in zip(codes, values, strict=True)
            },
            undone_output=from_json(output) if output else None,
        )

    def complete_step(self, saga_id: str, path: str, *, token: str, output: str, link: str) -> Next:
        """Record that a record took effect. `link` is the path of the chain's next link, or ''."""
        return _next(self._call("complete_step", saga_id, path, token, output, link))

    def retry_step(
        self,
        saga_id: str,
        path: str,
        *,
        token: str,
        error: str,
        wait: float,
        unknown: bool,
        spent: bool,
    ) -> Next:
        """End a claim unfinished: the record waits for its next attempt, unless the saga has turned."""
        arguments = [path, token, error, round(wait * 1000), int(unknown), int(spent)]
        return _next(self._call("retry_step", saga_id, *arguments))

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
    ) -> Next:
        """Record that a record failed for good, and what follows."""
        arguments = [path, token, error, int(unknown), int(refused), outcome, link]
        return _next(self._call("fail_step", saga_id, *arguments))

    def cancel_saga(self, saga_id: str, *, error: str, actor: Mapping[str, str]) -> Next:
        """Cancel a saga; ``late`` where it has ended or goes back already. Raises `UnknownSaga`.

        `actor` says who and why, for the history.
        """
        members = ",".join(f"{canonical_json(k)}:{canonical_json(v)}" for k, v in actor.items())
        answer = self._call("cancel_saga", saga_id, error, members)
        if answer[0] == "unknown":
            raise UnknownSaga(saga_id)
        return _next(answer)

    # Going on

    def dispatch_saga(self, saga_id: str, *, longest_wait: float) -> Publish | Running | None:
        """Say what remains of a saga and number its messages; None if none is to be published."""
        answer = self._call("dispatch_saga", saga_id, self._known(), round(longest_wait * 1000))
        if answer[0] == "nothing":
            return None
        if answer[0] == "running":
            _, path, token, _owner, left, attempts, digest, text = answer
            return Running(
                itinerary=self._itinerary(digest, text),
                path=path,
                token=token,
                time_left=int(left) / 1000,
                attempts=int(attempts),
            )
        _, digest, text, number, wait, *pairs = answer
        return Publish(
            itinerary=self._itinerary(digest, text),
            number=int(number),
            wait=int(wait) / 1000,
            records=[
                (path, int(tries)) for path, tries in zip(pairs[::2], pairs[1::2], strict=True)
            ],
        )

    def take_due(self, *, lease: float, limit: int) -> list[str]:
        """Take sagas that are due, at most `limit` of each shard, for `lease` seconds."""
        calls = [
            ([f"{self._tag(n)}due"], [round(lease * 1000), limit]) for n in range(self._shards)
        ]
        return [saga_id for ids in self._call_many("take_due", calls) for saga_id in ids]

    # Reading

    def read_saga(self, saga_id: str) -> Entry:
        """Read a saga as it stands. Raises `UnknownSaga`."""
        saga, _, _, definitions, *_ = self._keys(saga_id)
        fields: dict[str, str] = self._reach(lambda: self._client.hgetall(saga))
        if not fields:
            raise UnknownSaga(saga_id)
        digest = fields["definition"]
        if digest not in self._itineraries:
            text = self._reach(lambda: self._client.hget(definitions, digest))
            self._itineraries[digest] = Itinerary.from_json(text)
        return Entry(id=saga_id, itinerary=self._itineraries[digest], fields=fields)

    def read_status(self, saga_id: str) -> SagaStatus:
        """Read where a saga is. Raises `UnknownSaga`."""
        status = self._reach(lambda: self._client.hget(self._keys(saga_id)[0], "status"))
        if status is None:
            raise UnknownSaga(saga_id)
        return SagaStatus(status)

    def read_history(self, saga_id: str) -> list[Event]:
        """Read every event of a saga, in order. Raises `UnknownSaga`."""
        texts = self._reach(lambda: self._client.lrange(self._keys(saga_id)[1], 0, -1))
        if not texts:
            raise UnknownSaga(saga_id)
        return [Event.from_json(text) for text in texts]

    # Redis

    def _shard(self, saga_id: str) -> int:
        return crc32(saga_id.encode()) % self._shards

    def _tag(self, shard: int) -> str:
        return f"amends:{{{shard}}}:"

    def _keys(self, saga_id: str) -> list[str]:
        tag = self._tag(self._shard(saga_id))
        indexes = [f"{tag}index:{status}" for status in SagaStatus]
        return [
            f"{tag}saga:{saga_id}",
            f"{tag}history:{saga_id}",
            f"{tag}due",
            f"{tag}definitions",
            *indexes,
        ]

    def _known(self) -> str:
        return ",".join(self._itineraries)

    def _itinerary(self, digest: str, text: str) -> Itinerary:
        if digest not in self._itineraries:
            self._itineraries[digest] = Itinerary.from_json(text)
        return self._itineraries[digest]

    def _call(self, name: str, saga_id: str, *arguments: Any) -> Any:
        return self._call_many(name, [(self._keys(saga_id), [saga_id, *arguments])])[0]

    def _call_many(self, name: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        def send(indexes: Sequence[int]) -> list[Any]:
            self._prepare()
            pipeline = self._client.pipeline(transaction=False)
            for k in indexes:
                keys, arguments = calls[k]
                pipeline.evalsha(self._digests[name], len(keys), *keys, *arguments)
            replies: list[Any] = pipeline.execute(raise_on_error=False)
            return replies

        answers = self._reach(lambda: send(range(len(calls))))
        forgotten = [k for k, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if forgotten:  # Redis was restarted
            self._digests = {}
            for k, answer in zip(forgotten, self._reach(lambda: send(forgotten)), strict=True):
                answers[k] = answer
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _prepare(self) -> None:
        """At first use: load the scripts, and hold the number of shards to what the log has."""
        if self._digests:
            return
        pipeline = self._client.pipeline(transaction=False)
        for text in SCRIPTS.values():
            pipeline.script_load(text)
        pipeline.set("amends:shards", self._shards, nx=True)
        pipeline.get("amends:shards")
        *digests, _, stored = pipeline.execute()
        if int(stored) != self._shards:
            raise ConfigurationError(
                f"the saga log has {stored} shards and amends_shards says {self._shards}; set it to {stored},"
                " for sagas would not be found under another number"
            )
        self._digests = dict(zip(SCRIPTS, digests, strict=True))

    @staticmethod
    def _reach(send: Callable[[], T]) -> T:
        try:
            return send()
        except _UNREACHABLE as error:
            raise LogUnavailable(
                f"the saga log at amends_backend cannot be reached: {error}"
            ) from error


def _next(answer: Sequence[Any]) -> Next:
    numbered = answer[0] in ("advance", "retry")
    return Next(action=answer[0], number=int(answer[1]) if numbered else 0)


def log_of(app: Celery) -> SagaLog:
    """Return the saga log that this Celery app is configured for.

    Raises `ConfigurationError`.
    """
    return _log(settings_of(app), os.getpid())


@lru_cache
def _log(settings: Settings, pid: int) -> SagaLog:  # noqa: ARG001 - a forked child gets its own
    return SagaLog(
        client_of(settings.backend),
        shards=settings.shards,
        give_up_after=settings.give_up_after,
    )
