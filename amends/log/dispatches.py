"""Stages that are opened, claims that are taken over, and sagas that are parked: what dispatches and sweeps do."""

from collections.abc import Sequence
from typing import Any

from amends.definition.serialization import canonical_json
from amends.definition.states import SagaStatus
from amends.errors import ActRefused
from amends.log.answers import Continuation, Itineraries, read_continuation
from amends.log.in_flight import Deed, Dispatched, read_dispatched
from amends.log.queries.remembered_sagas import unknown_saga
from amends.log.store import Store


class Dispatches:
    """What a dispatch or a sweep does to a saga. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store, definitions: Itineraries) -> None:
        self._store = store
        self._definitions = definitions

    def expand_stage(
        self, saga_id: str, stage: str, items: Sequence[Any], *, longest_wait: float
    ) -> Dispatched:
        """Open a stage that has a branch for each of these items, JSON data; return what `dispatch_saga` does."""
        texts = map(canonical_json, items)
        how = self._definitions.known(), round(longest_wait * 1000), stage, len(items)
        answer = self._store.call("expand_stage", saga_id, *how, *texts)
        return read_dispatched(self._definitions, answer)

    def end_stage(
        self,
        saga_id: str,
        stage: str,
        *,
        longest_wait: float,
        path: str = "",
        error: str = "",
        outcome: str = "",
    ) -> Dispatched:
        """End a stage that is not opened yet; return what `dispatch_saga` does.

        path: its step's, if that fails.
        error: JSON, see `error_json`; '' if its condition is false.
        outcome: the saga's, if this failure turns it back.
        """
        how = self._definitions.known(), round(longest_wait * 1000), stage, path, error, outcome
        answer = self._store.call("end_stage", saga_id, *how)
        return read_dispatched(self._definitions, answer)

    def open_wait(
        self, saga_id: str, path: str, *, time: str, outcome: str, longest_wait: float
    ) -> Dispatched:
        """Begin a wait; return what `dispatch_saga` does.

        time: when it ends at the latest, as ``lua/open_wait.lua`` takes it.
        outcome: the saga's, if it is a child that turns back.
        """
        how = self._definitions.known(), round(longest_wait * 1000), path, time, outcome
        answer = self._store.call("open_wait", saga_id, *how)
        return read_dispatched(self._definitions, answer)

    # A saga that is a step of another one, and that one

    def adopt_saga(self, saga_id: str, parent: str, path: str) -> SagaStatus:
        """Let a saga be the child of another one, which is told of its end; return its status.

        path: of the parent's step.

        Raises `UnknownSaga`, and `ActRefused` if it is another one's child.
        """
        answer = self._store.call("adopt_saga", saga_id, f"{parent}|{path}")
        if answer[0] == "unknown":
            raise unknown_saga(self._store, saga_id)
        if answer[0] == "another":
            other, _, step = answer[1].partition("|")
            raise ActRefused(saga_id, "adopt", f"it is the child of {other}, step {step}")
        return SagaStatus(answer[0])

    def turn_saga(self, saga_id: str, *, error: str) -> Continuation:
        """Turn a completed child back.

        error: JSON, see `error_json`.

        Raises `UnknownSaga`, and `ActRefused` if it is not completed, or past its point of no return.
        """
        answer = self._store.call("turn_saga", saga_id, error)
        if answer[0] == "unknown":
            raise unknown_saga(self._store, saga_id)
        if answer[0] == "refused":
            raise ActRefused(saga_id, "turn", answer[1])
        return read_continuation(answer)

    def release_saga(self, saga_id: str, status: SagaStatus) -> None:
        """Note that the parent of a saga was told that it has ended as this."""
        self._store.call("release_saga", saga_id, status.value)

    def note_child(
        self, saga_id: str, path: str, deed: Deed, *, longest_wait: float, is_last: bool = True
    ) -> Dispatched:
        """Note what was done about the child that a record waits for; return what `dispatch_saga` does, None unless `is_last`."""
        how = self._definitions.known(), round(longest_wait * 1000), path, deed, int(not is_last)
        answer = self._store.call("note_child", saga_id, *how)
        return read_dispatched(self._definitions, answer)

    def end_child(
        self, saga_id: str, path: str, *, tries: int, status: str, told: object
    ) -> Continuation:
        """Tell a saga that a child of it has ended.

        path: of its step.
        tries: children of that step that turned back before this one.
        status: the child's; ``failed`` of one that cannot be started, ``stuck`` of one that cannot be undone.
        told: its output, or the error, JSON data.

        Returns `Late` if the saga does not wait for that, or waits for another child by now.
        """
        how = path, status, canonical_json(told), tries
        answer = self._store.call("end_child", saga_id, *how)
        return read_continuation(answer)

    # Claims and parked sagas

    def take_over(self, saga_id: str, path: str, *, token: str, taken_from: str) -> bool:
        """Take a claim over from its owner, to end its attempt with `retry_step` or `fail_step`.

        token: the claim's new token.
        taken_from: the claim's token so far.

        Returns False where that claim has ended, or its record was claimed anew.
        """
        answer = self._store.call("take_over", saga_id, path, token, taken_from)
        return bool(answer[0] == "taken")

    def note_unregistered(
        self, saga_id: str, path: str, *, task: str, most: int, elsewhere: bool = False
    ) -> str:
        """Count a message that met a worker without its task. Returns ``parked`` if the saga is stuck for it.

        most: how many such messages park the saga.
        elsewhere: whether a live worker knows the task; then it is not counted.
        """
        arguments = [path, canonical_json(task)[1:-1], most, int(elsewhere)]
        answer: str = self._store.call("note_unregistered", saga_id, *arguments)[0]
        return answer

    def unpark_saga(self, saga_id: str) -> Continuation:
        """Let a parked saga go on. Returns `Late` if it is not parked."""
        return read_continuation(self._store.call("unpark_saga", saga_id))
