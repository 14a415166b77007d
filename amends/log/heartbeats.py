"""Heartbeats of the workers, in the log."""

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final, Self

from amends.log.store import Store

VERSION: Final = version("amends")
"""The version of amends that this process runs."""

KEPT: Final = 3600.0
"""Seconds that the last heartbeat of a worker is kept: it names the messages that were lost with the worker."""

CLOCKS_DIFFER: Final = 1.0
"""Seconds by which the clocks of a cluster's nodes may differ: who judges a claim by a heartbeat compares two of them."""

MOST_TOLD: Final = 1_000
"""Ids of messages that a heartbeat names at most: it comes every 2 s. A worker that has more in hand names none."""

RECENT: Final = 60.0
"""Seconds for which a worker that fell silent is still of interest to those who ask which workers there are."""


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """A worker's last heartbeat."""

    at: float  #: Seconds since 1970 by the log's clock; in a cluster, the earliest that it can have been by any node's.
    age: float  #: Seconds since it came.
    pids: frozenset[str]  #: Live processes of its pool.
    messages: (
        frozenset[str] | None
    )  #: Ids of its unacknowledged messages, None if unknown or over `MOST_TOLD`.
    worker: str = ""  #: Name of the worker, as in `Owner`.
    node: str = ""  #: Celery's name of the worker, '' if unknown.
    version: str = ""  #: Version of amends that it runs, '' if unknown.
    #: Processes of its pool that ended, with the time of the last heartbeat that named them: seconds since 1970.
    ended: Mapping[str, float] = field(default_factory=dict)
    queues: frozenset[str] | None = None  #: Queues that it consumes, None if unknown.
    returned: frozenset[str] = frozenset()  #: Ids of messages that it put back into their queues.

    @classmethod
    def read(
        cls, worker: str, fields: Mapping[str, str], *, now: float, margin: float = 0.0
    ) -> Self:
        """Read a worker's hash.

        now: the time by the clock that it has its time by.
        margin: seconds by which other clocks of the log may differ.
        """
        at, messages = int(fields["at"]) / 1000, fields.get("messages")
        queues = json.loads(fields.get("queues") or "null")
        return cls(
            worker=worker,
            at=at - margin,
            age=now - at,
            pids=frozenset(fields["pids"].split(",")),
            messages=None if messages is None else frozenset(filter(None, messages.split(","))),
            node=fields.get("node", ""),
            version=fields.get("version", ""),
            ended=_read_ended(fields.get("ended", "")),
            queues=None if queues is None else frozenset(queues),
            returned=frozenset(fields.get("returned", "").split(",")),
        )


class Workers:
    """The heartbeats of all workers. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index = store.workers_key

    def note_heartbeat(
        self,
        worker: str,
        pids: Iterable[int],
        messages: Iterable[str] | None = None,
        *,
        node: str = "",
        version: str = "",
        queues: Iterable[str] | None = None,
        returned: Iterable[str] = (),
    ) -> float:
        """Write a worker's heartbeat. Returns its time, in seconds since 1970 by the log's clock.

        worker: name of the worker, as in `Owner`.
        pids: live processes of its pool.
        messages: ids of its unacknowledged messages, None if unknown.
        node: Celery's name of the worker.
        version: version of amends that it runs.
        queues: names of the queues that it consumes, None if unknown.
        returned: ids of messages that it put back into their queues.
        """
        consumed = "" if queues is None else json.dumps(sorted(queues))
        arguments = [",".join(map(str, pids)), round(KEPT * 1000), node, version, consumed]
        arguments.append(",".join(returned))
        if messages is not None:
            arguments.append(",".join(messages))
        calls = [([self._key(worker), self._index], arguments)]
        return int(self._store.call_many("note_heartbeat", calls)[0]) / 1000

    def note_ended(self, worker: str, ended: Mapping[int, float]) -> None:
        """Write which processes of a worker's pool ended, before the heartbeat that names them no more.

        ended: the time of the last heartbeat that named each, in seconds since 1970 by the log's clock.
        """
        text = ",".join(f"{pid}={round(at * 1000)}" for pid, at in ended.items())
        self._store.call_many("note_ended", [([self._key(worker)], [text, round(KEPT * 1000)])])

    def read_heartbeat(self, worker: str) -> Heartbeat | None:
        """Return a worker's last heartbeat, or None if it has expired."""
        return next(iter(self._read_heartbeats([self._key(worker)])), None)

    def read_heartbeats(
        self, *, within: float = RECENT, known: Container[str] = ()
    ) -> list[Heartbeat]:
        """Return the last heartbeat of every worker that beat within so many seconds, `KEPT` at most.

        known: names of workers to leave out, if they have been silent for `RECENT`.
        """
        now, (scored,) = self._store.read_with_time(
            self._index, lambda pipeline: pipeline.zrange(self._index, 0, -1, withscores=True)
        )
        ages = {key: now - at / 1000 for key, at in scored}
        return self._read_heartbeats(
            [
                key
                for key, age in ages.items()
                if age <= RECENT or (age <= within and _worker(key) not in known)
            ]
        )

    def live_nodes(self) -> list[str]:
        """Return Celery's names of the workers whose heartbeats have not expired."""
        return sorted({each.node for each in self.read_heartbeats() if each.node})

    def _read_heartbeats(self, keys: Sequence[str]) -> list[Heartbeat]:
        def ask(pipeline: Any) -> None:
            for key in keys:
                pipeline.hgetall(key)

        now, found = self._store.read_with_time(self._index, ask)
        margin = CLOCKS_DIFFER if self._store.is_spread else 0.0
        return [
            Heartbeat.read(_worker(key), fields, now=now, margin=margin)
            for key, fields in zip(keys, found, strict=True)
            if fields
        ]

    def _key(self, worker: str) -> str:
        return f"{self._index}:{worker}"


def _read_ended(text: str) -> dict[str, float]:
    pairs = (each.split("=") for each in text.split(",") if each)
    return {pid: int(at) / 1000 for pid, at in pairs}


def _worker(key: str) -> str:
    return key.rpartition(":")[2]
