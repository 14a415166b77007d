"""How sagas begin in the log: many at once, and with them the definitions that a shard lacks."""

from collections.abc import Sequence
from typing import Any

from amends.definition.itinerary import Itinerary
from amends.definition.states import SagaStatus
from amends.errors import SagaAlreadyStarted
from amends.log.delivery import NOWHERE, Delivery
from amends.log.itinerary_cache import Definitions
from amends.log.store import Store


class Starts:
    """The starts of sagas. Its methods raise `LogUnavailable`."""

    def __init__(self, store: Store, definitions: Definitions) -> None:
        self._store = store
        self._definitions = definitions
        self._defined: set[tuple[int, str]] = set()

    def start_saga(
        self, saga_id: str, itinerary: Itinerary, saga_input: str
    ) -> int | SagaStatus | None:
        """Write a new saga; answer the number of its first message, or where it is if it was started.

        Raises `SagaAlreadyStarted` where the id belongs to another saga.
        """
        answer = self.start_sagas(itinerary, [(saga_id, saga_input)])[0]
        if isinstance(answer, SagaAlreadyStarted):
            raise answer
        return answer

    def start_sagas(
        self,
        itinerary: Itinerary,
        starts: Sequence[tuple[str, str]],
        messages: Sequence[Delivery] | None = None,
    ) -> list[int | SagaStatus | SagaAlreadyStarted | None]:
        """`start_saga` for many ids and inputs, in one round trip; what it would raise is an answer.

        With `messages` the first of each is delivered too, into one queue; its answer is None then.
        """
        texts = [each.text for each in messages] if messages else [""] * len(starts)
        sends = [(*start, text) for start, text in zip(starts, texts, strict=True)]
        where = messages[0].destination if messages else NOWHERE
        answers = self._send_starts(itinerary, sends, where)
        # A shard that lost its definitions, as after a flush, asks for them.
        lacking = [k for k, answer in enumerate(answers) if answer[0] == "define"]
        if lacking:
            self._defined.clear()
            again = self._send_starts(itinerary, [sends[k] for k in lacking], where)
            for k, answer in zip(lacking, again, strict=True):
                answers[k] = answer
        return [
            _started(saga_id, *answer) for (saga_id, _), answer in zip(starts, answers, strict=True)
        ]

    def _send_starts(
        self, itinerary: Itinerary, starts: Sequence[tuple[str, str, str]], where: Sequence[Any]
    ) -> list[list[Any]]:
        timeout = "" if itinerary.timeout is None else int(itinerary.timeout * 1000)
        of_all = [itinerary.saga, itinerary.digest, timeout, len(itinerary.steps)]

        def shared(shard: int) -> list[Any]:
            mark = (shard, itinerary.digest)
            if mark in self._defined:
                return [*of_all, "", "", *where]
            self._defined.add(mark)
            return [*of_all, itinerary.json_text, itinerary.plan, *where]

        self._definitions.add(itinerary)
        return self._store.call_for_each("start_saga", starts, shared)


def _started(
    saga_id: str, said: str, value: str = ""
) -> int | SagaStatus | SagaAlreadyStarted | None:
    if said == "delivered":
        return None
    if said == "conflict":
        return SagaAlreadyStarted(saga_id, value)
    return int(value) if said == "started" else SagaStatus(value)
