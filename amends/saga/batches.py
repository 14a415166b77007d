"""Many starts: each input with its id, in parts of one round trip."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, TypeVar

from amends.definition.itinerary import Itinerary
from amends.errors import LogUnavailable, SagaAlreadyStarted
from amends.log.delivery import Delivery
from amends.log.keys import SagaId, id_text
from amends.log.starts import Conflict, Start, Starts
from amends.traces.carrier import at_hand

Input = TypeVar("Input")

NewSaga = tuple[str, ...]
"""A saga's id, its input as the log keeps it, the digest of what of that was given, and its entries in the search index."""

_MOST: Final = 1_000
"""Sagas that are started in one round trip."""

_LARGEST: Final = 4_000_000
"""Characters of their inputs."""


def paired(
    inputs: Iterable[Input], saga_ids: Iterable[SagaId] | None
) -> Iterator[tuple[str, Input]]:
    """Yield each input with its id, a random one by default. Raises ``ValueError`` where one lacks."""
    if saga_ids is None:
        yield from ((uuid.uuid4().hex, value) for value in inputs)
        return
    missing: Any = object()
    for number, (saga_id, value) in enumerate(zip_longest(saga_ids, inputs, fillvalue=missing), 1):
        if saga_id is missing or value is missing:
            lacking = "saga_id" if saga_id is missing else "input"
            raise ValueError(f"there is no {number}. {lacking}: give each input its id")
        yield id_text(saga_id), value


def start_in_chunks(
    log: Starts,
    itinerary: Itinerary,
    starts: Iterable[NewSaga],
    deliveries: Callable[[Sequence[str]], Sequence[Delivery] | None],
    judged: Callable[[Start, str], Start],
    publish: Callable[[Mapping[str, Start]], bool],
    *,
    traced: Callable[[str, Sequence[str]], Mapping[str, str]],
) -> list[str]:
    """Start sagas of one definition part by part, and return their ids. Raises what `Saga.start_many` does.

    deliveries: what the log delivers at their start.
    judged: what an answer of the log comes to, with the saga's input.
    publish: publishes what was started; returns False once the broker is away.
    traced: begins their traces, see `begun`.
    """
    ids: list[str] = []
    refusals: list[tuple[str, str]] = []
    is_away = False
    for chunk in chunks(starts):
        of_chunk = [saga_id for saga_id, *_ in chunk]
        traces = traced(itinerary.saga, of_chunk)
        try:
            with at_hand(traces):
                answers = log.start_sagas(itinerary, chunk, deliveries(of_chunk), traces)
                found = [
                    (saga_id, judged(answer, text))
                    for answer, (saga_id, text, *_) in zip(answers, chunk, strict=True)
                ]
                firsts = dict(reversed(found))  # an id may be there twice
                is_away = is_away or not publish({each: firsts[each] for each in of_chunk})
        except LogUnavailable as error:
            read = [each for each, *_ in starts] if isinstance(starts, list) else ids + of_chunk
            raise LogUnavailable(error.reason, saga_ids=read, answered=len(ids)) from error
        refusals += [(each, a.saga) for each, a in found if isinstance(a, Conflict)]
        ids += of_chunk
    if refusals:
        raise SagaAlreadyStarted(*refusals[0])
    return ids


def chunks(starts: Iterable[NewSaga]) -> Iterator[list[NewSaga]]:
    """Part them, so that neither this process nor the log holds too much at a time."""
    chunk: list[NewSaga] = []
    size = 0
    for start in starts:
        chunk.append(start)
        size += len(start[1])
        if len(chunk) == _MOST or size >= _LARGEST:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
