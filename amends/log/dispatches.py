"""Dispatches: what remains of a saga, for the messages that are to be published; and what precedes them."""

from collections.abc import Iterable, Sequence
from typing import Any

from amends.definition.itinerary import Itineraries
from amends.definition.serialization import canonical_json
from amends.log.answers import LOOK_AGAIN
from amends.log.in_flight import Dispatched, read_dispatched
from amends.log.store import Store


class Dispatches:
    """Tells what remains of sagas, and opens their stages. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store, definitions: Itineraries) -> None:
        self._store = store
        self._definitions = definitions

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
        return read_dispatched(self._definitions, answer)

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

    def take_over(self, saga_id: str, path: str, *, token: str, taken_from: str) -> bool:
        """Take a claim over from its owner, to end its attempt with `retry_step` or `fail_step`.

        token: the claim's new token.
        taken_from: the claim's token so far.

        Returns False where that claim has ended, or its record was claimed anew.
        """
        answer = self._store.call("take_over", saga_id, path, token, taken_from)
        return bool(answer[0] == "taken")
