"""What the log holds of the saga, and how its time is moved on."""

import json
import re
from dataclasses import dataclass
from typing import Any

from amends.definition.states import SagaStatus
from amends.log.record import open_fields
from amends.log.saga_log import SagaLog
from tests.explorer.explored_saga import SAGA_ID
from tests.explorer.explored_waits import CHILD_ID
from tests.support.claims import age_claim
from tests.support.log_view import view_of

_BRANCH = re.compile(r"p\d+\.\d+")  # a field of the saga's hash


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One moment of the saga. `fields` is empty where there is none."""

    fields: dict[str, str]
    history: tuple[dict[str, Any], ...]
    due: float | None
    indexes: frozenset[str]

    @property
    def status(self) -> str | None:
        return self.fields.get("status")

    @property
    def at_rest(self) -> bool:
        """Whether nothing goes on by itself; a parked saga does."""
        rests = self.status in (None, "completed", "compensated", "stuck")
        return rests and "parked" not in self.fields

    @property
    def stands_still(self) -> bool:
        """Whether it waits for a person."""
        return self.status == "stuck" or ("paused" in self.fields and not self.at_rest)

    @property
    def waits_for_approval(self) -> bool:
        """Whether it waits for the signal of the saga of waits."""
        waits = "paused" not in self.fields and self.fields.get("direction") == "forward"
        return waits and self.fields.get("2w.s") == "waiting"

    @property
    def facts(self) -> dict[str, str]:
        """What the fields say apart from times, which tests move."""
        return {
            name: value
            for name, value in self.fields.items()
            if not _is_time(name)
            and not _BRANCH.fullmatch(name)  # whose records have fields of their own
        }

    def records(self, name: str) -> list[str]:
        """Tell the records that these events of the history are about, in order."""
        return [event["record"] for event in self.history if event["name"] == name]


class Diary:
    """Reads the saga past all boundaries, and moves its time."""

    def __init__(self, client: Any, log: SagaLog) -> None:
        self._client = client
        self._view = view = view_of(log)
        self._saga, self._history, self._due, *_ = view.keys_of(SAGA_ID)
        shard = view.shard_of(SAGA_ID)
        self._indexes = {status: view.index_key(shard, status) for status in SagaStatus}

    def empty(self) -> None:
        """Forget everything."""
        self._client.flushdb()

    def read(self) -> Moment:
        """Read the present moment."""
        pipe = self._client.pipeline(transaction=True)
        pipe.hgetall(self._saga).lrange(self._history, 0, -1).zscore(self._due, SAGA_ID)
        for index in self._indexes.values():
            pipe.zscore(index, SAGA_ID)
        fields, history, due, *scores = pipe.execute()
        return Moment(
            fields=open_fields(fields),
            history=tuple(json.loads(event) for event in history),
            due=due,
            indexes=frozenset(
                status
                for status, score in zip(self._indexes, scores, strict=True)
                if score is not None
            ),
        )

    def pass_time(self, seconds: float) -> None:
        """Let everything in the log have happened so much earlier."""
        milliseconds = round(seconds * 1000)
        pipe = self._client.pipeline(transaction=True)
        for saga_id in (SAGA_ID, CHILD_ID):
            self._age(pipe, saga_id, milliseconds)
        for key in self._client.keys("amends:{workers}:*"):
            pipe.hincrby(key, "at", -milliseconds)
        pipe.execute()

    def _age(self, pipe: Any, saga_id: str, milliseconds: int) -> None:
        saga, _, due, *_ = self._view.keys_of(saga_id)
        age_claim(self._client, saga, milliseconds)
        for name, value in self._client.hgetall(saga).items():
            if _is_time(name) and value:
                pipe.hincrby(saga, name, -milliseconds)
            elif _BRANCH.fullmatch(name):
                pipe.hset(saga, name, _aged(value, milliseconds))
        shard = self._view.shard_of(saga_id)
        for key in (due, *(self._view.index_key(shard, status) for status in SagaStatus)):
            pipe.zadd(key, {saga_id: -milliseconds}, xx=True, incr=True)


def _is_time(name: str) -> bool:
    record, _, field = name.rpartition(".")
    return field in (
        ("c", "l", "m", "w", "y") if record else ("created", "deadline", "ended", "paused", "sent")
    )


def _aged(branch: str, milliseconds: int) -> str:
    """Return the field of a branch as if all in it had happened so much earlier."""
    sent, dispatches, number, states, claim = branch.split("|", 4)
    if len(sent) > 9:  # else it is over, and this is who got its place
        sent = str(int(sent) - milliseconds)
    if claim:
        code, attempt, at, given_up_at, *who = claim.split("|", 4)
        times = (str(int(each) - milliseconds) for each in (at, given_up_at))
        claim = "|".join([code, attempt, *times, *who])
    return f"{sent}|{dispatches}|{number}|{states}|{claim}"
