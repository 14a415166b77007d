"""Transitions of schedules: one script each. Ticks are milliseconds since 1970."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from amends.definition.serialization import canonical_json, json_members
from amends.definition.states import ENDED
from amends.errors import UnknownSchedule
from amends.log.acts.act import AS_DEFAULT, ActsKept, act_members
from amends.log.schedules.state import LEFT_AFTER, ScheduleEvent, ScheduleState
from amends.log.store import Store

LATE_AFTER: Final = 60.0
"""Seconds after which a tick that is fired is late."""

_ACTS: Final = {"schedule.triggered": "trigger", "schedule.backfilled": "backfill"}
_ACTOR: Final = frozenset({"by", "why"})
_NOBODY: Final[Mapping[str, str]] = {}

Defined = Literal["kept", "other", "taken"]
"""Whether the log keeps a worker's definition, has another one of a later worker, or one of another app."""


class Schedules:
    """The schedules of a log. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store, acts: ActsKept = AS_DEFAULT) -> None:
        self._store = store
        self._acts = acts

    def define_schedule(
        self,
        name: str,
        *,
        app: str,
        app_name: str,
        definition: str,
        digest: str,
        is_begin: bool,
        lives: bool = False,
    ) -> tuple[Defined, str]:
        """Keep a worker's definition; return how, and the name of the app that has the schedule if that is another one.

        app: identity of the worker's app.
        definition: JSON.
        is_begin: whether the worker begins: its definition replaces another one.
        lives: whether a worker of the app that has the schedule is alive, should that be another app.
        """
        left = round(LEFT_AFTER * 1000)
        arguments = [app, app_name, definition, digest, int(is_begin), left, int(lives)]
        how, *owner = self._ask("define_schedule", name, *arguments)
        return how, owner[0] if owner else app_name

    def decide_tick(self, state: ScheduleState, due: int) -> bool:
        """Decide that a tick's saga is to be started. Returns False if the schedule has moved on since `state` was read."""
        answer = self._ask("decide_tick", state.name, state.digest, state.cursor, due)
        return bool(answer[0] == "decided")

    def fire_tick(self, name: str, due: int, saga_id: str) -> None:
        """Settle a tick whose saga is in the log."""
        self._ask("fire_tick", name, due, saga_id, round(LATE_AFTER * 1000))

    def pass_ticks(
        self, state: ScheduleState, until: int, how: Literal["skipped", "missed"], *, count: int
    ) -> bool:
        """Settle what is due until a moment, without a saga. Returns False if the schedule has moved on."""
        given_up = "" if state.decided is None else state.decided
        arguments = [state.digest, state.cursor, until, how, count, given_up]
        return bool(self._ask("pass_ticks", state.name, *arguments)[0] == "passed")

    def fail_tick(self, name: str, due: int, error: str) -> bool:
        """Note why a tick's saga could not be started. Returns whether that is news."""
        answer = self._ask("fail_tick", name, due, error, canonical_json(error))
        return bool(answer[0] == "noted")

    def pause_schedule(self, name: str, actor: Mapping[str, str]) -> None:
        """Pause a schedule, unless it is paused. Raises `UnknownSchedule`."""
        members = [actor.get("by", ""), actor.get("why", ""), json_members(actor)]
        _check(name, self._act("pause_schedule", name, actor, *members))

    def resume_schedule(self, name: str, actor: Mapping[str, str]) -> None:
        """Let a schedule go on with the next tick from now, if it is paused. Raises `UnknownSchedule`."""
        _check(name, self._act("resume_schedule", name, actor, json_members(actor)))

    def note_triggered(
        self, name: str, event: str, *, count: int, last: str = "", **details: Any
    ) -> None:
        """Note that an operator started sagas of a schedule. Raises `UnknownSchedule`.

        last: id of the one that its overlap goes by from now on.
        """
        actor = {each: text for each, text in details.items() if each in _ACTOR}
        arguments = [last, count, event, json_members(details)]
        _check(
            name,
            self._act("note_triggered", name, actor, *arguments, act=_ACTS[event], count=count),
        )

    def forget_schedule(self, name: str, actor: Mapping[str, str] = _NOBODY) -> bool:
        """Forget a schedule, but for one that a worker defines; return whether it is forgotten. Raises `UnknownSchedule`."""
        left = round(LEFT_AFTER * 1000)
        return _check(name, self._act("forget_schedule", name, actor, left)) == "forgotten"

    # Reads

    def read_schedule(self, name: str) -> ScheduleState | None:
        """Return a schedule as it stands, None if the log has none of that name."""
        key = self._store.schedule_keys(name)[0]
        now, (fields,) = self._store.read_with_time(key, lambda pipeline: pipeline.hgetall(key))
        return ScheduleState.read(name, now, fields) if fields else None

    def read_schedules(self) -> Sequence[ScheduleState]:
        """Return all schedules of the log, by name."""

        def command(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            for shard in range(self._store.shards):
                pipeline.zrange(self._store.schedules_key(shard), 0, -1)
            return pipeline.execute()

        names = sorted(name for each in self._store.read(command) for name in each)
        if not names:
            return []
        keys = [self._store.schedule_keys(name)[0] for name in names]

        def ask(pipeline: Any) -> None:
            for key in keys:
                pipeline.hgetall(key)

        now, found = self._store.read_with_time(keys[0], ask)
        pairs = zip(names, found, strict=True)
        return [ScheduleState.read(name, now, fields) for name, fields in pairs if fields]

    def read_running(self, states: Sequence[ScheduleState]) -> frozenset[str]:
        """Return the names of those of these schedules whose last saga has not ended."""
        started = [(each.name, each.last) for each in states if each.last]

        def command(client: Any) -> Any:
            pipeline = client.pipeline(transaction=False)
            for _, saga_id in started:
                pipeline.hget(self._store.keys_of(saga_id)[0], "status")
            return pipeline.execute()

        statuses = self._store.read(command) if started else ()
        pairs = zip(started, statuses, strict=True)
        return frozenset(name for (name, _), status in pairs if status and status not in ENDED)

    def read_history(self, name: str) -> Sequence[ScheduleEvent]:
        """Return a schedule's last events, the oldest first."""
        key = self._store.schedule_keys(name)[1]
        events: Sequence[str] = self._store.read(lambda client: client.lrange(key, 0, -1))
        return [ScheduleEvent.from_json(text) for text in events]

    def _act(
        self,
        script: str,
        name: str,
        actor: Mapping[str, str],
        *arguments: Any,
        act: str = "",
        **what: Any,
    ) -> list[Any]:
        """Run a script that is an operator's act, which lists it."""
        entry = act_members(act or script.partition("_")[0], actor, schedule=name, **what)
        listed = f"{secrets.token_hex(8)} {{{entry}}}"
        return self._ask(script, name, *arguments, listed, *self._acts.of_shard(self._store.shards))

    def _ask(self, script: str, name: str, *arguments: Any) -> list[Any]:
        keys = [*self._store.schedule_keys(name), self._store.acts_key(self._store.shard_of(name))]
        answer: list[Any] = self._store.call_many(script, [(keys, [name, *arguments])])[0]
        return answer


def _check(name: str, answer: Sequence[Any]) -> str:
    if answer[0] == "unknown":
        raise UnknownSchedule(name)
    how: str = answer[0]
    return how
