"""What the saga log knows of the workers: their heartbeats."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, Self

from amends.log.store import Store

VERSION: Final = version("amends")
"""The version of amends that this process runs."""

_KEPT: Final = 60.0
_INDEX: Final = "amends:{workers}"


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """What a worker last said: `at` by the log's clock, `age` seconds ago, that these processes live.

    `messages` has the ids of those in its hands; None where it did not say. `node` is what Celery calls it, and
    `version` that of the amends it runs; '' where it did not say.
    """

    at: float
    age: float
    pids: frozenset[str]
    messages: frozenset[str] | None
    node: str = ""
    version: str = ""

    @classmethod
    def read(cls, fields: Mapping[str, str], *, now: float) -> Self:
        """Read what is in the log, whose clock says `now`."""
        at, messages = int(fields["at"]) / 1000, fields.get("messages")
        return cls(
            at=at,
            age=now - at,
            pids=frozenset(fields["pids"].split(",")),
            messages=None if messages is None else frozenset(messages.split(",")),
            node=fields.get("node", ""),
            version=fields.get("version", ""),
        )


class Workers:
    """The heartbeats of all workers. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note_heartbeat(
        self,
        worker: str,
        pids: Iterable[int],
        messages: Iterable[str] | None = None,
        *,
        node: str = "",
        version: str = "",
    ) -> None:
        """Note that a worker lives, and with it these processes of its pool and messages in its hands.

        `node` is what Celery calls it, `version` that of the amends it runs.
        """
        arguments = [",".join(map(str, pids)), round(_KEPT * 1000), node, version]
        if messages is not None:
            arguments.append(",".join(messages))
        self._store.call_many("note_heartbeat", [([_key(worker), _INDEX], arguments)])

    def read_heartbeat(self, worker: str) -> Heartbeat | None:
        """Read what a worker last said, None where that is long ago."""
        return next(iter(self._read_heartbeats([_key(worker)])), None)

    def read_heartbeats(self) -> list[Heartbeat]:
        """Read what every worker last said, but for what is long ago."""
        keys = self._store.read(lambda client: client.zrange(_INDEX, 0, -1))
        return self._read_heartbeats(keys)

    def _read_heartbeats(self, keys: Sequence[str]) -> list[Heartbeat]:
        def command(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False).time()
            for key in keys:
                pipeline.hgetall(key)
            return pipeline.execute()

        (seconds, micros), *found = self._store.read(command)
        now = seconds + micros / 1_000_000
        return [Heartbeat.read(fields, now=now) for fields in found if fields]


def _key(worker: str) -> str:
    return f"{_INDEX}:{worker}"
