"""Many stuck sagas, put into a log in batches of its own scripts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from amends.definition.itinerary import Itinerary
from amends.definition.serialization import canonical_json
from amends.log.saga_log import SagaLog
from tests.support.log_view import LogView, view_of

_AT_ONCE: Final = 500


class StuckSagas:
    """Moves many sagas of a definition at once: a step fails with an effect nobody knows, and its undo for good."""

    def __init__(self, log: SagaLog, itinerary: Itinerary, step: str) -> None:
        self._log = log
        self._itinerary = itinerary
        self._step = step
        self._view: LogView = view_of(log)

    def start(self, ids: Sequence[str]) -> None:
        """Start sagas."""
        for some in _batches(ids):
            self._log.starts.start_sagas(self._itinerary, [(each, "{}") for each in some])

    def complete(self, ids: Sequence[str]) -> None:
        """Start sagas, and let each come to its end."""
        self.start(ids)
        for step in self._itinerary.steps:
            self._claim(ids, step.name)
            self._complete(ids, step.name)

    def be_stuck(self, errors: Mapping[str, str]) -> None:
        """Start sagas, and let each be stuck with its error: `errors` has texts by ids."""
        ids = list(errors)
        self.start(ids)
        before = [step.name for step in self._itinerary.steps]
        for path in before[: before.index(self._step)]:
            self._claim(ids, path)
            self._complete(ids, path)
        self._claim(ids, self._step)
        self._fail(dict.fromkeys(ids, "it timed out"), self._step)
        self.fail_undo(errors)

    def fail_undo(self, errors: Mapping[str, str]) -> None:
        """Let the undo of sagas that go back fail for good, each with its error."""
        path = f"{self._step}:undo"
        self._claim(list(errors), path)
        self._fail(errors, path)

    def do_undo(self, ids: Sequence[str]) -> None:
        """Let the undo of sagas that go back take effect: they end."""
        path = f"{self._step}:undo"
        self._claim(ids, path)
        self._complete(ids, path)

    def names(self, saga_id: str) -> list[str]:
        """Return the names of a saga's events."""
        return [event.name for event in self._log.read_history(saga_id)]

    def count(self, status: Any) -> int:
        """Count the sagas in a status."""
        keys = [self._view.index_key(shard, status) for shard in range(self._view.shards)]
        pipeline = self._view.client.pipeline(transaction=False)
        for key in keys:
            pipeline.zcard(key)
        return sum(pipeline.execute())

    def _claim(self, ids: Sequence[str], path: str) -> None:
        self._call(
            "claim_step", {each: [path, "t", "", 99, "", "", 15_000, "", ""] for each in ids}
        )

    def _complete(self, ids: Sequence[str], path: str) -> None:
        self._call("complete_step", {each: [path, "t", "null", "", "", "", "", ""] for each in ids})

    def _fail(self, errors: Mapping[str, str], path: str) -> None:
        def arguments(text: str) -> list[Any]:
            kind, _, message = text.rpartition(": ")
            error = canonical_json({"type": kind or "Away", "message": message})
            return [path, "t", error, 1, 0, "lost", "", "attempt"]

        self._call("fail_step", {each: arguments(text) for each, text in errors.items()})

    def _call(self, name: str, arguments: Mapping[str, Sequence[Any]]) -> None:
        for some in _batches(list(arguments)):
            calls = [(self._view.keys_of(each), [each, *arguments[each]]) for each in some]
            self._view.call_many(name, calls)


def _batches(ids: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for begin in range(0, len(ids), _AT_ONCE):
        yield tuple(ids[begin : begin + _AT_ONCE])
