"""A Redis Cluster as one client: each request goes to the node that has its key, wherever that has moved.

All keys of a request share a hash tag (`amends.log.keys`), and so are one node's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Final

from redis import Redis
from redis.cluster import RedisCluster
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import RedisClusterException, RedisError, ResponseError, SlotNotCoveredError
from redis.exceptions import TimeoutError as Late

from amends.backend.connection import asker
from amends.backend.connection import connect_anew as connect_node_anew
from amends.backend.redis_errors import ERRORS, NoCluster, TooFewReplicas, code_of

_WAITS_FOR: Final = 500
"""Milliseconds that a primary waits for its replicas."""

_REPLICA: Final = re.compile(r"slave\d+")

_ELSEWHERE: Final = frozenset({"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "READONLY", "MASTERDOWN"})
"""Codes of a node that does not have a key, or not now."""


class Cluster:
    """A client of a cluster, which connects when it is first used. Raises redis-py's errors.

    connect: makes redis-py's client, which asks a node for the others at once.
    """

    def __init__(self, connect: Callable[[], RedisCluster]) -> None:
        self._connect = connect

    @cached_property
    def _client(self) -> Any:
        try:
            return self._connect()
        except RedisClusterException as error:
            raise _reason(error) from error
        except IndexError as error:  # no slot has a node: it is being formed
            raise Lost("no node of the cluster has a slot") from error

    def __getattr__(self, name: str) -> Any:
        """Give what redis-py's client has: commands, each of which it sends to the node of its keys."""
        return getattr(self._client, name)

    def node_of(self, key: str) -> Redis:
        """Return the client of the node that has a key."""
        try:
            node = self._client.get_node_from_key(key)
        except SlotNotCoveredError as error:  # it was still being formed when this client asked
            self._client.nodes_manager.initialize()
            raise Lost(f"no node of the cluster has the slot of {key!r}") from error
        found: Redis = self._client.get_redis_connection(node)
        return found

    def primaries(self) -> list[Redis]:
        """Return a client of each primary."""
        return [self._client.get_redis_connection(node) for node in self._client.get_primaries()]

    def connect_anew(self) -> None:
        """Close the connections that no thread uses: a primary may be none any more."""
        for node in self.primaries():
            connect_node_anew(node)


def _reason(error: RedisClusterException) -> RedisError:
    """Return why no node told of the cluster: redis-py wraps what the last one said, and takes any refusal for one reason."""
    cause = error.__cause__
    if isinstance(cause, RedisClusterException) and isinstance(cause.__context__, ResponseError):
        refusal = cause.__context__
        return refusal if code_of(refusal) == "NOPERM" else NoCluster(str(refusal))
    if isinstance(cause, RedisError) and code_of(cause):
        return cause
    return Lost(f"no node answers that it names: {cause or error}")


def asker_of(client: Any, *, fast_path: bool) -> Callable[..., Any]:
    """Return what sends an EVALSHA to the node of its first key; see `asker`."""
    if isinstance(client, Cluster) and fast_path:
        return partial(_ask_node, client)
    return asker(client, fast_path=fast_path)


def connect_anew(client: Any) -> None:
    """Close the connections that no thread uses, of one Redis or of all primaries."""
    if isinstance(client, Cluster):
        client.connect_anew()
    else:
        connect_node_anew(client)


def primaries_of(client: Any) -> list[Any]:
    """Return a client of each node that takes writes: of one Redis its own."""
    return client.primaries() if isinstance(client, Cluster) else [client]


def node_of(client: Any, key: str) -> Any:
    """Return a client of the node that has a key."""
    return client.node_of(key) if isinstance(client, Cluster) else client


def replicas_in(info: Mapping[str, Any]) -> int | None:
    """Return how many replicas follow a Redis, by its INFO; None where that does not say."""
    if "connected_slaves" not in info:
        return None
    told = [each for name, each in info.items() if _REPLICA.fullmatch(name)]
    return len([each for each in told if each.get("state") == "online"])


def ask_all(client: Any, calls: Sequence[tuple[Any, ...]], *, replicas: int = 0) -> list[Any]:
    """Send several EVALSHA, those of a node in one go, and return the answers.

    An answer may be Redis's error; in a cluster, also that of a node that is away. redis-py's own pipeline of a cluster asks a
    node for the keys of each.

    replicas: how many have to have what was written; the answer is `TooFewReplicas` where they have not.
    """
    if not calls:
        return []
    if not isinstance(client, Cluster):
        return _in_one_go(client, calls, replicas)
    answers: list[Any] = [None] * len(calls)
    places: dict[Any, list[int]] = {}
    for k, call in enumerate(calls):
        places.setdefault(client.node_of(call[3]), []).append(k)
    for node, own in places.items():
        try:
            found = _in_one_go(node, [calls[k] for k in own], replicas)
        except RedisError as error:
            found = [error] * len(own)
        for k, answer in zip(own, found, strict=True):
            answers[k] = answer
    return _found_elsewhere(client, calls, answers, replicas)


def _in_one_go(node: Any, calls: Sequence[tuple[Any, ...]], replicas: int) -> list[Any]:
    pipeline = node.pipeline(transaction=False)
    for call in calls:
        pipeline.execute_command(*call)
    if replicas:
        _ask_for_replicas(pipeline, calls[0][3], replicas)
    answers: list[Any] = pipeline.execute(raise_on_error=False)
    if not replicas:
        return answers
    *answers, written, have = answers
    if isinstance(written, Exception):  # it says READONLY, where WAIT has words alone
        have = written
    return [_replicated(node, each, have, replicas) for each in answers]


def _ask_for_replicas(pipeline: Any, key: str, replicas: int) -> None:
    """Ask how many replicas have all that was written until now to the node of a key.

    WAIT is about what its own connection wrote last, which may be nothing: who repeats a transition finds it done.
    """
    pipeline.execute_command("SET", f"{key[: key.index('}') + 1]}:written", "")
    pipeline.execute_command("WAIT", replicas, _WAITS_FOR)


def _replicated(node: Any, answer: Any, have: Any, replicas: int) -> Any:
    if isinstance(answer, Exception) or (isinstance(have, int) and have >= replicas):
        return answer
    if isinstance(have, Exception):
        return have
    place = node.connection_pool.connection_kwargs
    # Sentinels name it with each connection.
    of = f" of {place['host']}:{place['port']}" if "host" in place else ""
    return TooFewReplicas(f"{have} of {replicas} replicas{of} have what was written")


def _found_elsewhere(
    cluster: Cluster, calls: Sequence[tuple[Any, ...]], answers: list[Any], replicas: int
) -> list[Any]:
    """Let redis-py look for the keys of calls whose node did not have them, or did not answer."""
    lost: dict[
        int, Exception
    ] = {}  # by the id of a node's error, which is one for all of its calls
    for k, answer in enumerate(answers):
        if not isinstance(answer, Exception) or not is_elsewhere(answer):
            continue
        if id(answer) in lost:
            answers[k] = lost[id(answer)]
            continue
        try:
            answers[k] = cluster.execute_command(*calls[k])
            if replicas:
                node = cluster.node_of(calls[k][3])
                pipeline = node.pipeline(transaction=False)
                _ask_for_replicas(pipeline, calls[k][3], replicas)
                answers[k] = _replicated(node, answers[k], pipeline.execute()[-1], replicas)
        except ERRORS as error:
            answers[k] = error
            if isinstance(error, Lost | Late):
                lost[id(answer)] = error
    return answers


def ask_with_time(
    client: Any, key: str, ask: Callable[[Any], object], *, transaction: bool = False
) -> tuple[int, list[Any]]:
    """Return the time by the clock of a key's node, in microseconds since 1970, and what `ask` asks of a pipeline.

    transaction: whether one Redis answers all of it at one moment; a cluster never does.
    """
    node = node_of(client, key)
    if node is client:
        pipeline = client.pipeline(transaction=transaction).time()
        ask(pipeline)
        (seconds, micros), *answers = pipeline.execute()
    else:
        seconds, micros = node.time()
        pipeline = client.pipeline(transaction=False)
        ask(pipeline)
        answers = pipeline.execute()
    return seconds * 1_000_000 + micros, answers


def is_elsewhere(error: Exception) -> bool:
    """Tell whether a node does not answer, or not for a key that was its own: redis-py's client looks where it is."""
    return isinstance(error, Lost | Late) or code_of(error) in _ELSEWHERE


def _ask_node(cluster: Cluster, *command: Any) -> Any:
    try:
        return asker(cluster.node_of(command[3]))(*command)
    except RedisError as error:
        if not is_elsewhere(error):
            raise
    return cluster.execute_command(*command)
