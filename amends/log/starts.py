"""How sagas begin in the log, and with them the definitions that a shard lacks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from amends.definition.itinerary import Itinerary
from amends.definition.script_plan import script_plan
from amends.definition.states import SagaStatus
from amends.errors import LogUnavailable
from amends.log.answers import Delivered, Itineraries
from amends.log.delivery import NOWHERE, Delivery, Destination
from amends.log.repetition import ask_again
from amends.log.store import Store


@dataclass(frozen=True)
class Started:
    """A start's answer: the saga is in the log, and its first message has this number."""

    number: int


@dataclass(frozen=True)
class Delayed:
    """A start's answer: the saga is in the log, and begins at its time."""


@dataclass(frozen=True)
class AlreadyThere:
    """A start's answer: the same saga was started before, and this is its status."""

    status: SagaStatus


@dataclass(frozen=True)
class Conflict:
    """A start's answer: the id belongs to another saga, of this name or with another input.

    status, input: those of a saga of the same name, which is the same one if its input, JSON, means the one at hand.
    given_alike: whether what of the inputs was given is alike.
    """

    saga: str
    status: SagaStatus | None = None
    input: str = ""
    given_alike: bool = False


Start = Started | Delivered | Delayed | AlreadyThere | Conflict


class Starts:
    """The starts of sagas. Its methods raise `LogUnavailable`.

    app_id: returns the identity of the app that starts them, see `identity_of`.
    """

    def __init__(self, store: Store, definitions: Itineraries, app_id: Callable[[], str]) -> None:
        self._store = store
        self._app_id = app_id
        self._definitions = definitions
        self._defined: set[tuple[int, str]] = set()

    def start_saga(
        self,
        saga_id: str,
        itinerary: Itinerary,
        saga_input: str,
        message: Delivery | None = None,
        *,
        given: str = "",
        trace: str = "",
        search: Sequence[str] = (),
    ) -> Start:
        """Write a new saga, and deliver its first message where one is given.

        saga_input: canonical JSON.
        given: digest of what of it was given, see `given_digest`; '' if unknown.
        message: in place of one, when the saga begins, as ``lua/start_saga.lua`` takes it.
        trace: headers of the traces that it belongs to, JSON; '' if there are none.
        search: its entries in the search index, see `entries_of`.

        A start whose answer is lost is asked for once more. Raises `LogUnavailable` with the id.
        """
        own = [saga_id, saga_input, given + trace, message.text if message else "", *search]
        where = message.destination if message else NOWHERE
        ask = partial(self._start_saga, own, itinerary, where)
        try:
            return ask()
        except LogUnavailable as error:
            return ask_again(ask, error, saga_id)

    def _start_saga(self, own: Sequence[str], itinerary: Itinerary, where: Destination) -> Start:
        shard = self._store.shard_of(own[0])
        answer = self._store.call_for_one("start_saga", own, self._shared(itinerary, shard, where))
        if answer[0] == "define":  # the shard lost its definitions, as after a flush
            self._defined.clear()
            shared = self._shared(itinerary, shard, where)
            answer = self._store.call_for_one("start_saga", own, shared)
        return _read_start(answer)

    def start_sagas(
        self,
        itinerary: Itinerary,
        starts: Sequence[tuple[str, ...]],
        messages: Sequence[Delivery] | None = None,
        traces: Mapping[str, str] = MappingProxyType({}),
    ) -> list[Start]:
        """`start_saga` for many, in one round trip.

        starts: of each its id, its input, the digest of what of that was given, and as many entries in the search index.
        messages: the first one of each, into one queue.
        traces: of those that belong to any, by their ids, see `start_saga`.
        """
        texts = [each.text for each in messages] if messages else [""] * len(starts)
        sends = [
            (saga_id, saga_input, "".join((*given[:1], traces.get(saga_id, ""))), text, *given[1:])
            for (saga_id, saga_input, *given), text in zip(starts, texts, strict=True)
        ]
        where = messages[0].destination if messages else NOWHERE
        ask = partial(self._send_starts, itinerary, sends, where)
        try:
            answers = ask()
        except LogUnavailable as error:
            answers = ask_again(ask, error)
        lacking = [k for k, answer in enumerate(answers) if answer[0] == "define"]
        if lacking:
            self._defined.clear()
            again = self._send_starts(itinerary, [sends[k] for k in lacking], where)
            for k, answer in zip(lacking, again, strict=True):
                answers[k] = answer
        return [_read_start(answer) for answer in answers]

    def _send_starts(
        self, itinerary: Itinerary, starts: Sequence[Sequence[str]], where: Destination
    ) -> list[list[Any]]:
        return self._store.call_for_each(
            "start_saga", starts, lambda shard: self._shared(itinerary, shard, where)
        )

    def _shared(self, itinerary: Itinerary, shard: int, where: Destination) -> list[Any]:
        """Return the arguments that all starts of a shard share; the definition is in the first ones alone."""
        timeout = "" if itinerary.timeout is None else int(itinerary.timeout * 1000)
        mark, definition = (shard, itinerary.digest), ["", ""]
        if mark not in self._defined:
            self._defined.add(mark)
            self._definitions.add(itinerary)
            definition = [itinerary.json_text, script_plan(itinerary)]
        own = [itinerary.saga, itinerary.digest, timeout, len(itinerary.first_chain)]
        return [*own, *definition, *where, self._app_id()]


def _read_start(answer: Sequence[Any]) -> Start:
    match answer:
        case ["started", number]:
            return Started(int(number))
        case ["exists", status]:
            return AlreadyThere(SagaStatus(status))
        case ["conflict", saga]:
            return Conflict(saga)
        case ["conflict", saga, status, saga_input, given_alike]:
            return Conflict(saga, SagaStatus(status), saga_input, bool(given_alike))
        case [Delivered.said]:
            return Delivered()
        case ["delayed"]:
            return Delayed()
    raise ValueError(f"start_saga answered {answer}")
