"""What a person does to a saga in the log: cancel, retry, skip, pause and resume."""

import secrets
from collections.abc import Mapping
from typing import Any

from amends.definition.serialization import canonical_json
from amends.definition.states import SagaStatus
from amends.errors import ActRefused, UnknownSaga
from amends.log.continuation import Continuation, read_continuation
from amends.log.store import Store

Actor = Mapping[str, str]
"""Who did it and why, for the history: ``by``, ``why``."""
Seen = int | SagaStatus | None
"""How many events the saga had when that person looked at it, or its status; None where nobody looked."""


class SagaControl:
    """The acts of a person, each one transition.

    All raise `UnknownSaga`, `ActRefused` where the saga has moved on, or is not as it was `seen`, and
    `LogUnavailable`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def cancel_saga(
        self, saga_id: str, *, error: str, actor: Actor, seen: Seen = None
    ) -> Continuation:
        """Cancel a saga; answers `Late` where it has ended or goes back already."""
        return self._do("cancel_saga", saga_id, actor, seen, error)

    def retry_saga(self, saga_id: str, *, actor: Actor, seen: Seen = None) -> Continuation:
        """Let a saga try again what it stands still at, with new budgets."""
        return self._do("retry_saga", saga_id, actor, seen)

    def skip_step(
        self, saga_id: str, path: str, *, output: str, actor: Actor, seen: Seen = None
    ) -> Continuation:
        """Skip a record that a person did by hand; answers `Lacking` where it needs an output.

        `output` is JSON, '' for none.
        """
        return self._do("skip_step", saga_id, actor, seen, path, output)

    def pause_saga(self, saga_id: str, *, actor: Actor, seen: Seen = None) -> Continuation:
        """Let a saga begin nothing more until it is resumed."""
        return self._do("pause_saga", saga_id, actor, seen)

    def resume_saga(self, saga_id: str, *, actor: Actor, seen: Seen = None) -> Continuation:
        """Let a paused saga go on."""
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
