"""Parked sagas: those whose next task no worker knows, or can give its input."""

from amends.definition.serialization import canonical_json
from amends.log.answers import Continuation, read_continuation
from amends.log.store import Store


class Parking:
    """Parks sagas, and lets them go on. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store) -> None:
        self._store = store

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
