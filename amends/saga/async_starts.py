"""The part of `amends.Saga` that coroutines await."""

import uuid
from abc import abstractmethod
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from pydantic import BaseModel

from amends.asynchronous.calls import CALLS, in_thread, in_thread_of
from amends.log.keys import SagaId, id_text
from amends.saga.handle import Handle

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)


class AsyncStarts(Generic[Input, Output]):
    """Each method does what the one of its name without ``_async`` does. The event loop goes on meanwhile."""

    start: Callable[..., Handle[Output]]

    async def start_async(
        self,
        saga_input: Input,
        *,
        saga_id: SagaId | None = None,
        at: datetime | None = None,
        after: float | None = None,
    ) -> Handle[Output]:
        """`start` for a coroutine: start a saga and return its handle.

        saga_input, saga_id, at, after: as of `start`.

        Cancelled (as by ``asyncio.timeout``), the saga may be started all the same: give a `saga_id`, and the same start
        repeated under it starts the saga once. Raises what `start` does; `LogUnavailable` is `refused`, too, where all threads
        for such calls waited for log and broker for 5 s.
        """
        new_id = uuid.uuid4().hex if saga_id is None else id_text(saga_id)
        start = partial(self.start, saga_input, saga_id=new_id, at=at, after=after)
        return await in_thread_of(CALLS, start, saga_id=new_id)

    async def start_many_async(
        self,
        inputs: Iterable[Input],
        *,
        saga_ids: Iterable[SagaId] | None = None,
        at: datetime | None = None,
        after: float | None = None,
    ) -> list[Handle[Output]]:
        """`start_many` for a coroutine: start many sagas, and return their handles.

        inputs, saga_ids: as of `start_many`; iterators are read in another thread.
        at, after: as of `start`.

        Cancelled, it goes on in its thread to the end. Raises what `start_many` does.
        """
        start = partial(self.start_many, inputs, saga_ids=saga_ids, at=at, after=after)
        return await in_thread_of(CALLS, start)

    async def get_async(self, saga_id: SagaId) -> Handle[Output]:
        """`get` for a coroutine: find a saga by its id."""
        return await in_thread(self.get, saga_id)

    @abstractmethod
    def start_many(
        self,
        inputs: Iterable[Input],
        *,
        saga_ids: Iterable[SagaId] | None = None,
        at: datetime | None = None,
        after: float | None = None,
    ) -> list[Handle[Output]]:
        """Start many sagas."""

    @abstractmethod
    def get(self, saga_id: SagaId) -> Handle[Output]:
        """Find a saga by its id."""
