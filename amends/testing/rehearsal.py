"""The rehearsal of sagas: the same log and coordinator, without broker, worker or waiting."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Self, TypeVar

from pydantic import BaseModel

from amends.definition.itinerary import Itinerary, RecordPlan
from amends.definition.paths import UNDO, without_item
from amends.errors import did_you_mean
from amends.log.keys import SagaId
from amends.log.saga_log import log_of
from amends.saga.definition import Saga
from amends.saga.handle import Handle
from amends.scheduling.definition import Schedule
from amends.testing.calls import Call, begun, effective
from amends.testing.clock import Clock
from amends.testing.script import Scene, Script
from amends.testing.stage import Stage
from amends.worker.retention import remove_ended

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)


class Rehearsal:
    """Runs sagas in this process, at once, and plays the failures that a test asks for.

    A context manager: inside, it is Celery's current app, so that code which starts a saga, reads or
    cancels one does so here. It has a saga log of its own, and a `clock` that stands still but for
    the waits of sagas, `advance`, and attempts that time out. `now` is where the clock begins, in
    seconds since 1970. Raises `ConfigurationError` where fakeredis is missing.
    """

    def __init__(self, *, now: float | None = None) -> None:
        self.clock = Clock(now)
        self._stage = Stage(clock=self.clock, play=self._play)
        self._scripts: dict[tuple[str, str], Script] = {}
        self._calls: list[Call] = []
        self._itineraries: dict[str, Itinerary] = {}
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        self._exits.enter_context(self._stage.opened())
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def run(
        self,
        saga: Saga[Input, Output],
        saga_input: Input,
        *,
        saga_id: SagaId | None = None,
        within: float | None = None,
    ) -> Handle[Output]:
        """Start a saga, play it to its end, or until it is stuck or waits for a signal, and return its handle.

        Retries and delays move the clock; a wait for signals does not: ``handle.signal`` goes on, and `advance` brings its
        time-out. With `within` the saga is played for so many seconds of the clock, in which time-outs come too, and then left
        as it is: 0 leaves it where it first waits for anything. `advance` takes it further. Raises what `Saga.start` does, and
        `RuntimeError` for a saga that would be tried again for ever.
        """
        self._check_entered()
        self._stage.limit(within)
        try:
            return saga.start(saga_input, saga_id=saga_id)
        finally:
            self._stage.limit(None)

    def advance(self, seconds: float) -> None:
        """Move the clock, and play what falls due meanwhile; called by an action, move the clock alone."""
        self._check_entered()
        self._stage.advance(seconds)

    def remove_ended(self) -> int:
        """Remove what ended more than `amends_retention` seconds of the clock ago, as workers do; return how many sagas.

        The archive gets them before, if one is set (`amends_archive`). Raises `ConfigurationError`.
        """
        self._check_entered()
        return remove_ended(self._stage.app)

    def use(self, schedule: Schedule[Any, Any]) -> None:
        """Fire the ticks of this schedule from now on, as the clock comes to them.

        A schedule that is not named so is not fired. `advance` plays the sagas of ticks.
        """
        self._check_entered()
        self._stage.use(schedule)

    def at(self, saga: Saga[Any, Any], path: str) -> Script:
        """Return the script of one record of a saga, to say how its attempts go.

        `path` is ``<step>``, ``<step>:fallback``, ``<step>:undo`` or ``<step>:fallback:undo``. Of a step for each
        item of a list that is the script of every item, each from its beginning; ``<step>[2]`` is that of the second item alone,
        which plays the one of every item after its end. Raises `ValueError` where the saga has no such record, or one that
        waits and calls nothing.
        """
        records = saga.itinerary.records
        if path in records and records[path].step.wait:
            raise ValueError(
                f"{path} of saga {saga.name!r} calls nothing, it waits: end it by handle.signal(...), or let time pass by"
                " rehearsal.advance(seconds)"
            )
        try:
            return self._script(saga.name, records[path])
        except KeyError:
            hint = did_you_mean(path, records) or f"; it has {', '.join(records)}"
            raise ValueError(f"saga {saga.name!r} has no record {path!r}{hint}") from None

    @property
    def calls(self) -> list[Call]:
        """Every attempt so far, in order."""
        return list(self._calls)

    def calls_of(self, handle: Handle[Any]) -> list[Call]:
        """List every attempt of one saga, in order."""
        return [call for call in self._calls if call.saga_id == handle.id]

    @property
    def done(self) -> list[str]:
        """The paths of what took effect, in order, also where it was undone later."""
        return _done(self._effective(self._calls))

    def done_of(self, handle: Handle[Any]) -> list[str]:
        """`done` of one saga."""
        return _done(self._effective(self.calls_of(handle)))

    @property
    def undone(self) -> list[str]:
        """The paths of what was undone, in order: ``book_room`` where ``book_room:undo`` succeeded.

        What nobody knew the outcome of is undone too.
        """
        return _undone(self._effective(self._calls))

    def undone_of(self, handle: Handle[Any]) -> list[str]:
        """`undone` of one saga."""
        return _undone(self._effective(self.calls_of(handle)))

    def _effective(self, calls: list[Call]) -> list[Call]:
        return effective(self._stage.app, calls)

    def _script(self, saga: str, record: RecordPlan) -> Script:
        found = self._scripts.get((saga, record.path))
        if found is None:
            task: Any = self._stage.app.tasks[record.call.task]
            every = without_item(record.path)
            of_all = (
                self._script(saga, record.model_copy(update={"path": every}))
                if every != record.path
                else None
            )
            found = self._scripts[saga, record.path] = Script(
                record.path, task.activity, of_all=of_all
            )
        return found

    def _play(self, path: str, function: Callable[..., Any], arguments: list[Any]) -> Any:
        call = begun(path, arguments, at=self.clock.now)
        itinerary = self._itinerary_of(call.saga_id)
        record = itinerary.records[path]
        scene = Scene(
            path=path,
            attempt=call.attempt,
            function=function,
            arguments=arguments,
            timeout=record.call.start_to_close_timeout,
            clock=self.clock,
            handle=Handle(call.saga_id, dict),
        )
        played = self._script(itinerary.saga, record).play(scene)
        self._calls.append(replace(call, output=played.output, error=played.error))
        if played.error is not None:
            raise played.error
        return played.output

    def _itinerary_of(self, saga_id: str) -> Itinerary:
        """Return the itinerary of a saga, which is read once: with a stage of many items that is a long read."""
        if saga_id not in self._itineraries:
            self._itineraries[saga_id] = log_of(self._stage.app).read_saga(saga_id).itinerary
        return self._itineraries[saga_id]

    def _check_entered(self) -> None:
        if not self._stage.is_open:
            raise RuntimeError(
                "this rehearsal is not Celery's current app: say `with Rehearsal() as rehearsal:`, and"
                " create no app inside"
            )


def _done(calls: list[Call]) -> list[str]:
    return [call.path for call in calls if not call.path.endswith(UNDO)]


def _undone(calls: list[Call]) -> list[str]:
    return [call.path.removesuffix(UNDO) for call in calls if call.path.endswith(UNDO)]
