"""Redis as the saga log needs it: scripts by name, and one error when it is away."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final, TypeVar

from redis.exceptions import NoScriptError, RedisError, ResponseError

from amends.backend.client import Client
from amends.backend.cluster import (
    Cluster,
    ask_all,
    ask_with_time,
    asker_of,
    connect_anew,
)
from amends.backend.redis_errors import ERRORS, explained, is_demoted
from amends.backend.script_loading import load_scripts
from amends.backend.scripts import DIGESTS, OWN, TRANSITIONS
from amends.definition.states import SagaStatus
from amends.log.keys import ROOT, Keys, bases_of

T = TypeVar("T")

_AT_ONCE: Final = 50
"""Sagas that one call of a script takes: all others wait for it, a few milliseconds."""

_FOUNDING: Final = frozenset({"start_saga", "note_heartbeat", "define_schedule"})
"""Scripts that write into a log that is new; before them nobody writes anything."""

Tell = Callable[[str, list[Any], list[str]], None]
"""Called for each transition that wrote events: with the saga's id, the head of ``transition.lua``, and the events as JSON."""


class Store(Keys):
    """The log's Redis. Its methods raise `LogUnavailable` if it cannot be reached or takes no writes.

    They raise `ConfigurationError` if it is not a Redis that the log can be in. No error of redis-py leaves them.
    kept_for: seconds that a saga is kept after its end, for who misses it.
    """

    def __init__(
        self,
        client: Client,
        *,
        shards: int,
        root: str = ROOT,
        tell: Tell | None = None,
        fast_path: bool = True,
        wait_replicas: int = 0,
        kept_for: float | None = None,
    ) -> None:
        self.client: Any = client  # redis-py leaves open whether replies are str
        super().__init__(shards, root, is_spread=isinstance(client, Cluster))
        self._tell, self.kept_for = tell, kept_for
        self._loaded = self._is_founded = False
        self._replicas = dict.fromkeys(TRANSITIONS, wait_replicas) if wait_replicas else {}
        self._ask = asker_of(client, fast_path=fast_path)

    def call(self, name: str, saga_id: str, *arguments: Any) -> Any:
        """Run a script on a saga."""
        return self.call_many(name, [(self.keys_of(saga_id), [saga_id, *arguments])])[0]

    def call_many(self, name: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        """Run a script once for each pair of keys and arguments, in one round trip."""
        return _sound(self.try_many(name, calls))

    def try_many(self, name: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        """Do as `call_many`; a failing call returns its error."""
        answers = self._run(name, calls)
        if name in TRANSITIONS:
            pairs = zip(calls, answers, strict=True)
            answers = [self._open(call[0], answer) for (_, call), answer in pairs]
        return [_told(answer) for answer in answers]

    def call_for_one(self, name: str, saga: Sequence[Any], shared: Sequence[Any]) -> Any:
        """Run a ``for each saga`` script for one saga; see `call_for_each`."""
        arguments = [1, len(saga), *saga, *shared]
        keys = self.start_keys(self.shard_of(saga[0]), [saga[0]], search=len(saga) > OWN)
        (told,) = self._run(name, [(keys, arguments)])
        (answers,) = _sound([_told(told)])
        return self._open(saga[0], answers[0])

    def call_for_each(
        self, name: str, sagas: Sequence[Sequence[Any]], shared: Callable[[int], Sequence[Any]]
    ) -> list[Any]:
        """Run a ``for each saga`` script (see `scripts`) for many, in one round trip. Returns the answers in order.

        sagas: of each its id, then the arguments of its own; after `OWN` of them its entries in the search index.
        shared: returns the arguments that the sagas of a shard share.
        """
        parts = list(self._parts(sagas))
        calls = []
        for shard, places in parts:
            own = [sagas[k] for k in places]
            arguments = [len(own), len(own[0]), *chain.from_iterable(own), *shared(shard)]
            keys = self.start_keys(shard, [each[0] for each in own], search=len(own[0]) > OWN)
            calls.append((keys, arguments))
        answers: list[Any] = [None] * len(sagas)
        for (_, places), told in zip(parts, map(_told, self._run(name, calls)), strict=True):
            each = [told] * len(places) if isinstance(told, Exception) else told
            for k, answer in zip(places, each, strict=True):
                answers[k] = self._open(sagas[k][0], answer)
        return _sound(answers)

    def _parts(self, sagas: Sequence[Sequence[Any]]) -> Iterator[tuple[int, list[int]]]:
        """Yield each call's shard, and the positions of its sagas."""
        places = defaultdict(list)
        for k, (saga_id, *_) in enumerate(sagas):
            places[self.shard_of(saga_id)].append(k)
        for shard, of_shard in places.items():
            for begin in range(0, len(of_shard), _AT_ONCE):
                yield shard, of_shard[begin : begin + _AT_ONCE]

    def _run(self, name: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        answers = self._send(name, calls)
        lost = [
            k
            for k, answer in enumerate(answers)
            if isinstance(answer, ResponseError) and self._is_another(answer)
        ]
        if lost:
            self._loaded = False
            again = self._send(name, [calls[k] for k in lost])
            for k, answer in zip(lost, again, strict=True):
                answers[k] = answer
        return answers

    def _is_another(self, error: ResponseError) -> bool:
        """Tell whether this was not the Redis of before: it was restarted, or demoted and is left now."""
        if is_demoted(error):
            connect_anew(self.client)
            return True
        return isinstance(error, NoScriptError)

    def _open(self, saga_id: str, answer: Any) -> Any:
        """Unwrap a transition's answer, and pass its events on."""
        if isinstance(answer, Exception):
            return answer
        inner, head, *events = answer
        if events and self._tell:
            self._tell(saga_id, head, events)
        return inner

    def read(self, command: Callable[[Any], T]) -> T:
        """Return the result of a reading command, which gets the client."""
        if not self._is_founded:
            self._is_founded = self.has_shards(self.read_shards())
        return self.reach(command)

    def read_shards(self) -> str | None:
        """Return how many shards the log has; None before its first saga and its first worker."""
        stored: str | None = self.reach(lambda client: client.get(self.shards_key))
        return stored

    def read_index(
        self, statuses: Iterable[SagaStatus], *, ago: float, limit: int, beyond: int = 0
    ) -> list[str]:
        """Return `limit` sagas of each shard and status that last moved `ago` seconds ago, and as many that wait, oldest first."""

        def read(client: Any) -> list[str]:
            last = redis_now(client) - round(ago * 1000)
            pipeline = client.pipeline(transaction=False)
            for shard in range(self.shards):
                for status in statuses:
                    for base in bases_of(status):
                        key, to = self.index_key(shard, status), base + last
                        pipeline.zrangebyscore(key, base, to, beyond, limit)
            return [saga_id for ids in pipeline.execute() for saga_id in ids]

        return self.read(read)

    def read_with_time(self, key: str, ask: Callable[[Any], object]) -> tuple[float, list[Any]]:
        """Return the time by the clock of a key's node, in seconds since 1970, and what `ask` asks of a pipeline."""
        micros, answers = self.read(lambda client: ask_with_time(client, key, ask))
        return micros / 1_000_000, answers

    def _prepare(self, name: str) -> None:
        """Load the scripts and check the number of shards at first use, which only a start or a worker writes."""
        if not (self._loaded and self._is_founded):
            self._is_founded = self.reach(partial(self._load, founds=name in _FOUNDING))
            self._loaded = True

    def reach(self, command: Callable[[Any], T]) -> T:
        """Return the result of a command, which is repeated where a demoted Redis refused it."""
        try:
            try:
                return command(self.client)
            except ResponseError as error:
                if not is_demoted(error):
                    raise
            connect_anew(self.client)
            return command(self.client)
        except ERRORS as error:
            raise _told(error) from error

    def _load(self, client: Any, *, founds: bool) -> bool:
        def ask(pipeline: Any) -> None:
            if founds:
                pipeline.set(self.shards_key, self.shards_text, nx=True)
            pipeline.get(self.shards_key)

        try:
            return self.has_shards(load_scripts(client, self.shards_key, ask))
        except RedisError:
            if self._is_founded and self.is_spread:  # it was seen, and other nodes have sagas
                return True
            raise

    def _send(self, name: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        self._prepare(name)
        try:
            return (
                [self._send_one(name, *calls[0])]
                if len(calls) == 1 and name not in self._replicas
                else self._send_all(name, calls)
            )
        except ERRORS as error:
            raise _told(error) from error

    def _send_all(self, name: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        commands = [("EVALSHA", DIGESTS[name], len(keys), *keys, *rest) for keys, rest in calls]
        return ask_all(self.client, commands, replicas=self._replicas.get(name, 0))

    def _send_one(self, name: str, keys: list[str], arguments: list[Any]) -> Any:
        try:
            return self._ask("EVALSHA", DIGESTS[name], len(keys), *keys, *arguments)
        except ResponseError as error:  # as in a pipeline, the script's own
            return error


def _sound(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _told(answer: Any) -> Any:
    """Return the error that a caller gets in place of redis-py's, and any other answer itself."""
    return explained(answer, "the saga log") if isinstance(answer, ERRORS) else answer


def redis_now(client: Any) -> int:
    """Return Redis's time in milliseconds."""
    seconds, micros = client.time()
    now: int = seconds * 1000 + micros // 1000
    return now
