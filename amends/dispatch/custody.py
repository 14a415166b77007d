"""In whose hands the messages of sagas are, by the last heartbeats of workers."""

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Final

from amends.log.heartbeats import RECENT, Heartbeat
from amends.log.liveness import DEAD_AFTER, Hand

_ADVANCE: Final = "advance"

_Newest = Mapping[tuple[str, str], int]
"""The highest number of a message, by the saga's id and the path in its id."""


class Custody:
    """The messages that workers have in hand, had when they died, or put back.

    beats: the last heartbeats of workers.
    may_judge: whether a silent worker may be declared dead; if not, it counts as alive for a while.
    gives_back: whether the broker puts back what a dead worker had in hand.
    """

    def __init__(
        self, beats: Iterable[Heartbeat], *, may_judge: bool, gives_back: bool = False
    ) -> None:
        beats = list(beats)
        longest = DEAD_AFTER if may_judge else RECENT
        live = [beat for beat in beats if beat.age <= longest]
        self.dead = [beat for beat in beats if beat.age > longest] if may_judge else []
        self._live = live
        self._held = _newest(each for beat in live for each in beat.messages or ())
        heard = [beat for beat in live if beat.age <= DEAD_AFTER]
        self._held_for_sure = _newest(each for beat in heard for each in beat.messages or ())
        dropped = _newest(each for beat in self.dead for each in beat.messages or ())
        returned = _newest(each for beat in beats for each in beat.returned)
        self._dropped = {} if gives_back else dropped
        self._returned = {**dropped, **returned} if gives_back else returned

    def is_all_told(self, queue: str | None) -> bool:
        """Return whether each live worker that may consume a queue has told all that it has in hand."""
        return all(beat.messages is not None for beat in self._live if _may_consume(beat, queue))

    @property
    def told_at(self) -> float:
        """When the last of the live workers to do so told what it has; seconds since 1970 by the log's clock."""
        return min((beat.at for beat in self._live), default=inf)

    def hand_of(self, saga_id: str, path: str, *, number: int) -> Hand:
        """Return who has the message for a record, or the one of `amends.advance` that comes before it.

        number: of the first message that is not superseded.
        """
        names = _names(saga_id, path)
        for found, hand in (
            (self._held, Hand.HELD),
            (self._dropped, Hand.DROPPED),
            (self._returned, Hand.RETURNED),
        ):
            if any(found.get(name, 0) >= number for name in names):
                return hand
        return Hand.NOBODYS

    def is_in_doubt(self, saga_id: str, path: str, *, number: int) -> bool:
        """Return whether only silent workers have such a message in hand, which a worker that may judge takes for dead.

        The hand is `Hand.HELD` then.
        """
        names = _names(saga_id, path)
        is_held, is_sure = (
            any(found.get(name, 0) >= number for name in names)
            for found in (self._held, self._held_for_sure)
        )
        return is_held and not is_sure

    def holder_of(self, saga_id: str, path: str, *, number: int) -> Heartbeat | None:
        """Return the live worker that has such a message in hand, or None."""
        names = _names(saga_id, path)
        for beat in self._live:
            held = _newest(beat.messages or ())
            if any(held.get(name, 0) >= number for name in names):
                return beat
        return None

    def may_consume(self, queue: str | None) -> bool:
        """Return whether a live worker consumes a queue, or may do so unknown to us."""
        return not self._live or any(_may_consume(beat, queue) for beat in self._live)


def sagas_of(beat: Heartbeat) -> list[str]:
    """Return ids of the sagas whose messages a worker had in hand; an id that is none may be among them."""
    return list(dict.fromkeys(saga_id for saga_id, _ in _newest(beat.messages or ())))


def _newest(message_ids: Iterable[str]) -> _Newest:
    found: dict[tuple[str, str], int] = {}
    for message_id in message_ids:
        for saga_id, number, path in read_task_id(message_id):
            name = saga_id, path
            found[name] = max(number, found.get(name, 0))
    return found


def _may_consume(beat: Heartbeat, queue: str | None) -> bool:
    return queue is None or beat.queues is None or queue in beat.queues


def _names(saga_id: str, path: str) -> tuple[tuple[str, str], ...]:
    return (saga_id, path.replace(":", ".")), (saga_id, _ADVANCE)


def read_task_id(message_id: str) -> Iterator[tuple[str, int, str]]:
    """Read what `amends.dispatch.messages.task_id` wrote: a saga's id, a number, and a path with ``.`` for ``:``, or ``advance``.

    Ids and paths may have dots and numbers in them: every reading is returned, none for another task's id.
    """
    parts = message_id.split(".")
    for k, part in enumerate(parts[1:-1], start=1):
        if part.isdecimal():
            yield ".".join(parts[:k]), int(part), ".".join(parts[k + 1 :])
