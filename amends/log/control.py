"""An operator's acts on a saga: cancel, retry, skip, pause and resume."""

import secrets
from collections.abc import Mapping
from typing import Any

from amends.definition.serialization import canonical_json
from amends.definition.states import SagaStatus
from amends.errors import ActRefused, UnknownSaga
from amends.log.answers import Continuation, read_continuation
from amends.log.store import Store

Actor = Mapping[str, str]
"""The operator and the reason, for the history: ``by``, ``why``."""
Seen = int | SagaStatus | None
"""Precondition of an act: the number of events in the saga's history (the sum of their counts), or its status. None: no precondition."""


class SagaControl:
    """An operator's acts, each one transition.

    All raise `UnknownSaga`, `LogUnavailable`, and `ActRefused` if the saga does not allow the act or no longer is as `seen`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def cancel_saga(
        self, saga_id: str, *, error: str, actor: Actor, seen: Seen = None
    ) -> Continuation:
        """Cancel a saga. Returns `Late` if it has ended or compensates already."""
        return self._do("cancel_saga", saga_id, actor, seen, error)

    def retry_saga(self, saga_id: str, *, actor: Actor, seen: Seen = None) -> Continuation:
        """Retry failed compensations and the next record, each with a fresh attempt budget."""
        return self._do("retry_saga", saga_id, actor, seen)

    def skip_step(
        self, saga_id: str, path: str, *, output: str, actor: Actor, seen: Seen = None
    ) -> Continuation:
        """Skip a record that an operator did by hand. Returns `Lacking` if it needs an output.

        path: of the record, or a step's name.
        output: JSON, '' for none.
        """
        return self._do("skip_step", saga_id, actor, seen, path, output)

    def pause_saga(self, saga_id: str, *, actor: Actor, seen: Seen = None) -> Continuation:
        """Pause a saga: it starts nothing until it is resumed."""
        return self._do("pause_saga", saga_id, actor, seen)

    def resume_saga(self, saga_id: str, *, actor: Actor, seen: Seen = None) -> Continuation:
        """Resume a paused saga."""
        return self._do("resume_saga", saga_id, actor, seen)

    def _do(
        self, name: str, saga_id: str, actor: Actor, seen: Seen, *arguments: Any
    ) -> Continuation:
        members = ",".join(f"{canonical_json(k)}:{canonical_json(v)}" for k, v in actor.items())
        token = secrets.token_hex(8)
        condition = "" if seen is None else str(seen)
        answer = self._store.call(name, saga_id, token, members, condition, *arguments)
        if answer[0] == "unknown":
            raise UnknownSaga(saga_id)
        if answer[0] == "refused":
            raise ActRefused(saga_id, name.partition("_")[0], answer[1])
        return read_continuation(answer)
