"""The saga log: transitions of a running saga; its parts have the others."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, Final

from celery import Celery
from pydantic_core import from_json

from amends.backend.app_identity import identity_of
from amends.backend.client import client_of
from amends.backend.scripts import PLAIN, plain
from amends.backend.settings import Settings, settings_of
from amends.definition.paths import without_item
from amends.definition.serialization import canonical_json
from amends.log.acts.act import ActsKept
from amends.log.answers import (
    LOOK_AGAIN,
    NO_ORIGIN,
    Claim,
    Claimed,
    Continuation,
    Cost,
    Done,
    Origin,
    Publish,
    Run,
    Stop,
    read_continuation,
)
from amends.log.delivery import NOWHERE, Delivery
from amends.log.in_flight import Dispatched, read_dispatched
from amends.log.observers import tell_observers
from amends.log.parts import Parts

_PLAIN: Final = {name: plain(name) for name in PLAIN}


class SagaLog(Parts):
    """The saga log. Its methods, and those of its parts, raise `LogUnavailable` if Redis cannot be reached."""

    # A task's two round trips

    def claim_step(
        self,
        saga_id: str,
        path: str,
        *,
        token: str,
        owner: str,
        retries: int,
        brought: str = "",
        process: str = "",
        origin: Origin = NO_ORIGIN,
    ) -> Run | Done | Stop:
        """Claim a record for one task, by the claim table of the design.

        process: as `Claim.process`.
        brought, origin: of the message: tokens of its earlier claims, joined by a comma; see `origin_of`.
        """
        claim = Claim(token=token, owner=owner, retries=retries, process=process)
        *who, known, grace, _ = self._claim(claim)
        given = [path, *who, brought, known, grace, process, *origin]
        kind = without_item(path) if "[" in path else path
        script = "claim_step" if kind in self._shaped else _PLAIN["claim_step"]
        answer = self._store.call(script, saga_id, *given)
        if answer[0] == "shaped":
            self._shaped.add(kind)
            answer = self._store.call("claim_step", saga_id, *given)
        if answer[0] == "run":
            return self._run(answer)
        if answer[0] == "unknown":
            self.lost_writes.note_unknown(saga_id)
            return Stop(reason="there is no such saga")
        return Done() if answer[0] == "done" else Stop(reason=answer[1])

    def complete_step(
        self,
        saga_id: str,
        path: str,
        *,
        token: str,
        output: str,
        link: str,
        message: Delivery | None = None,
        is_plain: bool = False,
    ) -> Continuation:
        """Record that a record took effect.

        token: of its claim.
        output: JSON; '' where its condition is false.
        link: path of the chain's next link, or ''.
        message: that link's, delivered if it may run.
        is_plain: whether the saga is known to be plain, see `Itinerary.is_plain`; here and in what follows.
        """
        delivered = [message.text, *message.destination] if message else ["", *NOWHERE]
        arguments = [path, token, output, link, *delivered]
        script = _PLAIN["complete_step"] if is_plain else "complete_step"
        return read_continuation(self._store.call(script, saga_id, *arguments))

    def complete_and_claim(
        self,
        saga_id: str,
        path: str,
        *,
        token: str,
        output: str,
        link: str,
        claim: Claim,
        is_plain: bool = False,
    ) -> Continuation:
        """Do as `complete_step`, and claim the chain's next link for the same task, if that may run.

        link: path of that link.
        claim: what it is claimed with; a repeated call has the same.
        """
        arguments = [path, token, output, link, *self._claim(claim)]
        script = _PLAIN["complete_and_claim"] if is_plain else "complete_and_claim"
        answer = self._store.call(script, saga_id, *arguments)
        if answer[0] == Claimed.said:
            return Claimed(self._run(answer))
        return read_continuation(answer)

    def retry_step(
        self,
        saga_id: str,
        path: str,
        *,
        token: str,
        error: str,
        wait: float,
        unknown: bool,
        cost: Cost,
        is_plain: bool = False,
    ) -> Continuation:
        """End a claim unfinished: the record waits for its next attempt, unless the saga compensates meanwhile.

        token: of the claim.
        error: JSON, see `error_json`.
        wait: seconds until the next attempt.
        unknown: whether the attempt may have taken effect.
        cost: what the claim cost: an attempt, its owner's death, or nothing; "unreadable" if its worker cannot read the
            input: that parks the saga after several, or at once without a worker, for then no other has other code.
        """
        longest = round(self._max_countdown * 1000)
        arguments = [path, token, error, round(wait * 1000), int(unknown), cost, longest]
        if cost == "unreadable":
            reason = from_json(error)["message"]
            arguments += [self._parks_after, reason, canonical_json(reason)[1:-1]]
        script = _PLAIN["retry_step"] if is_plain else "retry_step"
        return read_continuation(self._store.call(script, saga_id, *arguments))

    def fail_step(  # noqa: PLR0913 - each is told by who ran it
        self,
        saga_id: str,
        path: str,
        *,
        token: str,
        error: str,
        unknown: bool,
        refused: bool,
        outcome: str,
        link: str,
        cost: Cost = "attempt",
        is_plain: bool = False,
    ) -> Continuation:
        """Record that a record failed for good: its fallback, the next step or compensation follows.

        token: of the claim.
        error: JSON, see `error_json`.
        unknown: whether the attempt may have taken effect.
        refused: whether the service refused; then no fallback follows.
        outcome: the saga's, if this failure turns it back.
        link: path of the chain's next link, or ''.
        cost: as in `retry_step`.
        """
        arguments = [path, token, error, int(unknown), int(refused), outcome, link, cost]
        script = _PLAIN["fail_step"] if is_plain else "fail_step"
        return read_continuation(self._store.call(script, saga_id, *arguments))

    # Dispatches

    def dispatch_saga(
        self,
        saga_id: str,
        *,
        longest_wait: float,
        only_look: bool = False,
        lost: Iterable[str] = (),
    ) -> Dispatched:
        """Return the records to publish and number their messages, or the claim that precedes them; None if nothing is to do.

        longest_wait: seconds that a message may wait for its record; a longer wait stays in the log.
        only_look: publish nothing; return `Waiting` for a message that should have arrived.
        lost: marks of branches whose messages are lost (`Waiting.mark`): of a stage these are published, and what was not yet.
        """
        how = round(longest_wait * 1000), int(only_look), LOOK_AGAIN * 1000, ",".join(lost)
        answer = self._store.call("dispatch_saga", saga_id, self._definitions.known(), *how)
        if answer[0] != Publish.said:  # which it mostly is
            return read_dispatched(self._definitions, answer)
        _, digest, text, trace, *rest = answer
        found = Publish.read(self._definitions.read(digest, text), rest)
        return replace(found, trace=trace) if trace else found

    # Claims

    def _claim(self, claim: Claim) -> list[Any]:
        """Return a claim's arguments, as the scripts take them."""
        grace = round(self._give_up_after * 1000)
        known = self._definitions.known()
        return [claim.token, claim.owner, claim.retries, known, grace, claim.process]

    def _run(self, answer: Sequence[Any]) -> Run:
        _, digest, text, *rest = answer
        return Run.read(self._definitions.read(digest, text), rest)


def log_of(app: Celery) -> SagaLog:
    """Return the saga log that this Celery app is configured for.

    Raises `ConfigurationError`.
    """
    return _log(app, settings_of(app), os.getpid())


@cache
def _log(app: Celery, settings: Settings, pid: int) -> SagaLog:  # noqa: ARG001 - a forked child gets its own
    return SagaLog(
        client_of(settings.backend),
        shards=settings.shards,
        root=settings.key_root,
        app_id=cache(partial(identity_of, app)),
        give_up_after=settings.give_up_after,
        max_countdown=settings.max_countdown,
        parks_after=settings.poison_after,
        tell=partial(tell_observers, app),
        fast_path=settings.fast_path,
        wait_replicas=settings.wait_replicas,
        acts=ActsKept(settings.acts_kept, settings.acts_retention),
        kept_for=settings.retention,
    )
