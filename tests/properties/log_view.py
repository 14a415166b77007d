"""What the log holds of one saga at a moment, and what must hold between two such moments."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import redis

from amends.backend.script_constants import TIMED
from amends.definition.states import RECORD_MOVES, SAGA_MOVES, RecordState, SagaStatus
from amends.log.record import open_fields
from amends.log.saga_log import SagaLog
from tests.support.log_view import view_of

_BRANCH = re.compile(r"(p\d+)\.\d+")
_ABSORBING = frozenset({"completed", "compensated", "stuck"})
_FAR = 150_000.0  # ms: nothing that waits for no retry is looked at later than this


State = TypeVar("State", bound=StrEnum)


@dataclass(frozen=True, kw_only=True)
class View:
    """One moment. Times are ms."""

    fields: dict[str, str]
    history: list[str]
    due: float | None
    indexes: dict[str, bool]
    lifetimes: list[int]
    now: float

    @property
    def status(self) -> str:
        return self.fields["status"]

    @property
    def paused(self) -> bool:
        return "paused" in self.fields

    @property
    def over(self) -> bool:
        return self.status in _ABSORBING

    def record(self, code: str, name: str) -> str | None:
        return self.fields.get(f"{code}.{name}")

    @property
    def states(self) -> dict[str, RecordState]:
        """The states of the records that were touched, by their codes."""
        return {
            key.removesuffix(".s"): RecordState(value)
            for key, value in self.fields.items()
            if key.endswith(".s")
        }

    @property
    def running(self) -> list[str]:
        return [code for code, state in self.states.items() if state == "running"]


def view(client: redis.Redis, log: SagaLog, saga_id: str) -> View:
    """Read all of it in one transaction."""
    saga, history, due, _, *indexes, _, _ = view_of(log).keys_of(saga_id)
    pipe: Any = client.pipeline(transaction=True)
    pipe.hgetall(saga).lrange(history, 0, -1).zscore(due, saga_id).time()
    pipe.pttl(saga).pttl(history).pttl(due)
    for index in indexes:
        pipe.zscore(index, saga_id)
    fields, events, due_at, (seconds, micros), *rest = pipe.execute()
    return View(
        fields=open_fields(fields),
        history=events,
        due=due_at,
        indexes={
            status.value: score is not None
            for status, score in zip(SagaStatus, rest[3:], strict=True)
        },
        lifetimes=rest[:3],
        now=seconds * 1000 + micros / 1000,
    )


def check_moment(now: View) -> None:
    """Check what holds at every moment."""
    check_stages(now.fields)
    assert [status for status, member in now.indexes.items() if member] == [now.status], (
        f"the saga is {now.status}, and indexed as {now.indexes}"
    )
    is_parked = "parked" in now.fields
    assert now.status == "stuck" or not is_parked, f"a saga that is {now.status} is parked"
    if now.over:
        is_looked_at = is_parked and not now.paused
        assert (now.due is not None) == is_looked_at, f"a saga that is {now.status}: due {now.due}"
        return
    assert all(lifetime < 0 for lifetime in now.lifetimes), "a live key has a lifetime"
    if now.paused:
        limit = now.fields.get("deadline") if now.fields["direction"] == "forward" else None
        assert now.due == (limit and float(limit)), "a paused saga is due for its deadline only"
        return
    if "waiting" in now.states.values() and "deadline" not in now.fields and now.due is None:
        return  # somebody has to give what it waits for
    assert now.due is not None, f"a saga that is {now.status} is not due: it would be lost"
    waits = [float(value) for key, value in now.fields.items() if key.endswith((".w", ".m"))]
    if now.due >= TIMED and "deadline" in now.fields:
        waits.append(float(now.fields["deadline"]))
    assert now.due % TIMED <= max(now.now, *waits, 0.0) + _FAR, (
        f"a live saga is due too late: {now.due - now.now}, {now.fields}"
    )
    runs = [code for code in now.running if not code.startswith("p")]
    assert now.due < TIMED or not runs, f"{runs} are looked at late"


def check_stages(fields: Mapping[str, str]) -> None:
    """Check what a stage counts of its branches."""
    runs: Counter[str] = Counter()
    for name, text in fields.items():
        if found := _BRANCH.fullmatch(name):
            _, _, _, states, claim = text.split("|", 4)
            runs[found[1]] += bool(claim) + len(re.findall(r"k=waiting", states))
    for stage, count in runs.items():
        assert int(fields.get(f"{stage}.runs", 0)) == count, f"{stage} counts what runs wrongly"


def check_move(before: View, now: View, *, acted: bool) -> None:
    """Check what holds from one moment to the next, in which a person may have acted."""
    assert now.history[: len(before.history)] == before.history, "history was rewritten"
    assert now.status in _reachable(SAGA_MOVES, SagaStatus(before.status), acted=acted), (
        f"{before.status} became {now.status}"
    )
    for code, state in before.states.items():
        new = now.states.get(code, RecordState.PENDING)
        assert new in _reachable(RECORD_MOVES, state, acted=acted), f"{code}: {state} became {new}"
    for key, value in before.fields.items():
        code, _, kind = key.rpartition(".")
        counts = key == "messages" or kind in ("a", "r", "p", "k")
        counts |= kind == "u" and f"{code}v.y" not in now.fields  # where nobody tells what it was
        if counts:
            assert int(now.fields.get(key, 0)) >= int(value), f"{key} went back"
    if before.over and not (acted and before.status == "stuck") and not before.running:
        looks = {"parked"} & before.fields.keys()  # a sweep counts its own
        kept = [
            {k: v for k, v in each.fields.items() if k not in looks and not _BRANCH.fullmatch(k)}
            for each in (now, before)
        ]
        assert kept[0] == kept[1], "a saga changed after its end"
        assert now.indexes == before.indexes
        added = now.history[len(before.history) :]
        assert all('"name":"step.late"' in event for event in added), f"after the end: {added}"


def _reachable(moves: Mapping[State, frozenset[State]], state: State, *, acted: bool) -> set[State]:
    """Follow the legal moves; out of *stuck* only a person leads."""
    found, new = {state}, {state}
    while new:
        leaving = {each for each in new if acted or each != "stuck"}
        new = {move for each in leaving for move in moves[each]} - found
        found |= new
    return found
