"""Many starts: each input with its id, in parts of one round trip."""

import uuid
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any, Final, TypeVar

from amends.saga.ids import SagaId, id_text

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
