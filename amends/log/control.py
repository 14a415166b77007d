"""An operator's acts on a saga: cancel, retry, skip, pause and resume."""

import re
import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Any, Final, Literal, Self

from amends.definition.serialization import canonical_json, json_members
from amends.definition.states import SagaStatus
from amends.errors import ActRefused, LogUnavailable, SagaError, UnknownSaga
from amends.log.acts.act import LONGEST, ActsKept
from amends.log.answers import AtRest, Continuation, read_continuation
from amends.log.queries.remembered_sagas import unknown_saga
from amends.log.repetition import ask_again
from amends.log.store import Store

Actor = Mapping[str, str]
"""The operator and the reason, for the history: ``by``, ``why``."""
Seen = int | SagaStatus | None
"""Precondition of an act: the number of events in the saga's history (the sum of their counts), or its status. None: no precondition."""

ManyName = Literal["retry_saga", "cancel_saga", "pause_saga", "resume_saga"]
"""The acts that need nothing of a saga but its id."""

Call = tuple[list[str], list[Any]]
"""KEYS and ARGV of a script."""

_ACT_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Signalled(StrEnum):
    """What a saga did with a signal."""

    TAKEN = "taken"
    """It ended its wait."""
    COUNTED = "counted"
    """Its wait needs more of them."""
    KEPT = "kept"
    """Its wait has not begun, and finds it then."""


def new_act_id() -> str:
    """Draw the id of an act."""
    return secrets.token_hex(8)


def check_act_id(act_id: str) -> str:
    """Return the id of an act. Raises ``ValueError`` for what can be none."""
    if not _ACT_ID.fullmatch(act_id):
        raise ValueError(f"act_id {act_id!r}: use 1 to 64 letters, digits, '.', '_' and '-'")
    return act_id


_LONGEST_GIVER: Final = 128
_SIGNAL_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")


def check_signal_id(signal_id: str) -> str:
    """Return the id of a signal. Raises ``ValueError`` for what can be none."""
    if not isinstance(signal_id, str) or not _SIGNAL_ID.fullmatch(signal_id):
        raise ValueError(
            f"id {signal_id!r} of a signal: use 1 to 128 printable ASCII characters, none of them a blank"
        )
    return signal_id


def _checked_giver(by: str) -> str:
    if not isinstance(by, str) or not 1 <= len(by) <= _LONGEST_GIVER:
        raise ValueError(f"by {by!r:.200}: name who gives the signal in 1 to 128 characters")
    return by


def cancelled_error(why: str | None) -> str:
    """Return the error of a saga that is cancelled for this reason, as JSON."""
    return canonical_json({"type": "Cancelled", "message": why or "someone cancelled the saga"})


class SagaControl:
    """An operator's acts, each one transition.

    act_id: the same id is the same act: a saga keeps the ids of its last eight acts, and one that is repeated gets its
        first answer. Random by default.

    An act whose answer is lost is asked for once more. All raise `UnknownSaga`, `ActRefused` if the saga does not allow the
    act or no longer is as `seen`, ``ValueError`` for an invalid `act_id`, and `LogUnavailable` with the act's id.
    """

    def __init__(self, store: Store, acts: ActsKept | None) -> None:
        """Make the acts on a log's sagas.

        acts: how many acts the list of acts keeps, and for how long; None: these acts are not listed.
        """
        self._store = store
        self._kept = acts.of_shard(store.shards) if acts else None

    @property
    def unlisted(self) -> Self:
        """The same acts without entries in the list of acts: parts of a bulk act, which has an entry, or the engine's own."""
        return type(self)(self._store, None)

    def cancel_saga(
        self,
        saga_id: str,
        *,
        error: str,
        actor: Actor,
        seen: Seen = None,
        act_id: str | None = None,
    ) -> Continuation:
        """Cancel a saga. Returns `Late` if it has ended or compensates already."""
        return self._do("cancel_saga", saga_id, actor, seen, act_id, error)

    def retry_saga(
        self, saga_id: str, *, actor: Actor, seen: Seen = None, act_id: str | None = None
    ) -> Continuation:
        """Retry failed compensations and the next record, each with a fresh attempt budget."""
        return self._do("retry_saga", saga_id, actor, seen, act_id)

    def skip_step(
        self,
        saga_id: str,
        path: str,
        *,
        output: str,
        actor: Actor,
        seen: Seen = None,
        act_id: str | None = None,
    ) -> Continuation:
        """Skip a record that an operator did by hand. Returns `Lacking` if it needs an output.

        path: of the record, or a step's name.
        output: JSON, '' for none.
        """
        return self._do("skip_step", saga_id, actor, seen, act_id, path, output)

    def pause_saga(
        self, saga_id: str, *, actor: Actor, seen: Seen = None, act_id: str | None = None
    ) -> Continuation:
        """Pause a saga: it starts nothing until it is resumed."""
        return self._do("pause_saga", saga_id, actor, seen, act_id)

    def resume_saga(
        self, saga_id: str, *, actor: Actor, seen: Seen = None, act_id: str | None = None
    ) -> Continuation:
        """Resume a paused saga."""
        return self._do("resume_saga", saga_id, actor, seen, act_id)

    def act_on_sagas(
        self,
        name: ManyName,
        targets: Sequence[tuple[str, Seen]],
        *,
        actor: Actor,
        act_id: str,
        error: str = "",
    ) -> list[Continuation | SagaError]:
        """Do one act on many sagas in one round trip, and return what became of it on each: what follows, or the error.

        name: of the method for one saga.
        targets: ids, each with what its `seen` is.
        error: of a cancel.

        Raises `LogUnavailable` if the log answered for none of them; the same call is the same acts.
        """
        token, more = check_act_id(act_id), [error] if name == "cancel_saga" else []
        calls = [self._call_of(name, each, token, actor, seen, *more) for each, seen in targets]
        ask = partial(self._store.try_many, name, calls)
        try:
            answers = ask()
        except LogUnavailable as first:
            answers = ask_again(ask, first)
        pairs = zip(targets, answers, strict=True)
        return [self._outcome(name, each, answer) for (each, _), answer in pairs]

    def signal_saga(
        self, saga_id: str, name: str, *, value: str, signal_id: str | None, by: str | None
    ) -> tuple[Signalled, Continuation]:
        """Give a saga a signal; what follows is known only where that ended its wait.

        value: JSON.
        signal_id: the same id is the same signal, and gets its first answer; random by default.
        by: who gives it.
        """
        token = new_act_id() if signal_id is None else check_signal_id(signal_id)
        members = {"signal": token, **({} if by is None else {"by": _checked_giver(by)})}
        sent = [saga_id, name, token, value, by or "", json_members(members)]
        call = (self._store.keys_of(saga_id), sent)
        how, *follows = self._ask("signal_saga", call, token)
        return Signalled(how), read_continuation(follows) if follows else AtRest()

    def _do(
        self,
        name: str,
        saga_id: str,
        actor: Actor,
        seen: Seen,
        act_id: str | None,
        *arguments: Any,
    ) -> Continuation:
        token = new_act_id() if act_id is None else check_act_id(act_id)
        call = self._call_of(name, saga_id, token, actor, seen, *arguments)
        return read_continuation(self._ask(name, call, token))

    def _call_of(
        self, name: str, saga_id: str, token: str, actor: Actor, seen: Seen, *arguments: Any
    ) -> Call:
        store, listed = self._store, ["", 0, 0]
        shard = store.shard_of(saga_id)
        keys = [*store.keys_of(saga_id), store.acts_key(shard)]
        if name == "pause_saga":
            keys.append(store.paused_key(shard))
        if self._kept is not None:
            what = {"step": arguments[0]} if name == "skip_step" else {}
            signed = {each: text[:LONGEST] for each, text in actor.items()}
            act = {"act": name.partition("_")[0], **signed, "saga": saga_id, **what}
            listed = [json_members(act), *self._kept]
        known = "" if seen is None else str(seen)
        return keys, [saga_id, token, json_members(actor), known, *listed, *arguments]

    def _ask(self, name: str, call: Call, token: str) -> Any:
        saga_id = call[1][0]

        def ask() -> Any:
            return self._store.call_many(name, [call])[0]

        try:
            answer = ask()
        except LogUnavailable as error:
            answer = ask_again(ask, error, saga_id, token)
        if failure := self._failure(name, saga_id, answer):
            raise failure
        return answer

    def _failure(
        self, name: str, saga_id: str, answer: Sequence[Any]
    ) -> ActRefused | UnknownSaga | None:
        if answer[0] == "unknown":
            return unknown_saga(self._store, saga_id)
        if answer[0] == "refused":
            return ActRefused(saga_id, name.partition("_")[0], answer[1])
        return None

    def _outcome(self, name: str, saga_id: str, answer: Any) -> Continuation | SagaError:
        if isinstance(answer, SagaError):
            return answer
        if isinstance(answer, Exception):
            raise answer
        return self._failure(name, saga_id, answer) or read_continuation(answer)
