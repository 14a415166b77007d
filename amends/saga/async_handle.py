"""The part of a handle that coroutines await: its blocking calls in threads, and a wait that holds none."""

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, Final, Generic, Self, TypeVar

from amends.asynchronous.alert import Alert
from amends.asynchronous.calls import CALLS, LOOKS, in_thread, in_thread_of, run_in
from amends.asynchronous.threads import NoThread
from amends.definition.states import SagaStatus
from amends.log.control import Seen, Signalled, new_act_id
from amends.log.history import Event
from amends.log.saga_log import SagaLog
from amends.saga.snapshot import Snapshot
from amends.saga.wait import Wait
from amends.saga.waiting import Turns, Until, awaiting, check_outside_of_tasks

Result = TypeVar("Result")
Answer = TypeVar("Answer")

_GRACE: Final = 1.0
"""Seconds past the timeout of a wait for the answer to a look that has begun in time."""


class AsyncHandle(Generic[Result]):
    """Each method does what the one of its name without ``_async`` does, with the same arguments, and raises the same.

    The event loop goes on meanwhile. If a call is cancelled (as by ``asyncio.timeout``), what has begun goes on in its thread:
    an act may be done, and is done once if it is repeated with the same `act_id`. With 5 acts in threads, or 2 reads, others wait for
    5 s at most, and raise `LogUnavailable` with `refused` then.
    """

    id: str
    is_by_outbox: bool = (
        False  #: Whether the outbox starts it, so that the log may hear of it later.
    )
    cancel: Callable[..., bool]
    retry: Callable[..., None]
    skip: Callable[..., None]
    pause: Callable[..., None]
    resume: Callable[..., None]
    signal: Callable[..., Signalled]
    snapshot: Callable[[], Snapshot]
    history: Callable[[], list[Event]]

    def started_by_outbox(self) -> Self:
        """Note that the outbox starts the saga, so that the log may hear of it later. Returns the handle."""
        self.is_by_outbox = True
        return self

    async def status_async(self) -> SagaStatus:
        """Read the present status."""
        return await in_thread(lambda: self.status)

    async def outcome_async(self) -> str | None:
        """Read the outcome, as the definition names it; None until it is decided."""
        return await in_thread(lambda: self.outcome)

    async def snapshot_async(self) -> Snapshot:
        """`Handle.snapshot` for a coroutine."""
        return await in_thread(self.snapshot)

    async def history_async(self) -> list[Event]:
        """`Handle.history` for a coroutine."""
        return await in_thread(self.history)

    async def cancel_async(
        self,
        *,
        by: str | None = None,
        why: str | None = None,
        seen: Seen = None,
        act_id: str | None = None,
    ) -> bool:
        """`Handle.cancel` for a coroutine."""
        return await self._act(self.cancel, by=by, why=why, seen=seen, act_id=act_id)

    async def retry_async(
        self,
        *,
        by: str | None = None,
        why: str | None = None,
        seen: Seen = None,
        act_id: str | None = None,
    ) -> None:
        """`Handle.retry` for a coroutine."""
        await self._act(self.retry, by=by, why=why, seen=seen, act_id=act_id)

    async def skip_async(
        self,
        step: str,
        *,
        output: Any = None,
        by: str | None = None,
        why: str | None = None,
        seen: Seen = None,
        act_id: str | None = None,
    ) -> None:
        """`Handle.skip` for a coroutine."""
        skip = partial(self.skip, step, output=output)
        await self._act(skip, by=by, why=why, seen=seen, act_id=act_id)

    async def pause_async(
        self,
        *,
        by: str | None = None,
        why: str | None = None,
        seen: Seen = None,
        act_id: str | None = None,
    ) -> None:
        """`Handle.pause` for a coroutine."""
        await self._act(self.pause, by=by, why=why, seen=seen, act_id=act_id)

    async def resume_async(
        self,
        *,
        by: str | None = None,
        why: str | None = None,
        seen: Seen = None,
        act_id: str | None = None,
    ) -> None:
        """`Handle.resume` for a coroutine."""
        await self._act(self.resume, by=by, why=why, seen=seen, act_id=act_id)

    async def signal_async(
        self,
        name: str | Wait[Any],
        value: Any,
        *,
        id: str | None = None,  # noqa: A002 - the word that a reader expects
        by: str | None = None,
    ) -> Signalled:
        """`Handle.signal` for a coroutine."""
        token = new_act_id() if id is None else id
        give = partial(self.signal, name, value, id=token, by=by)
        return await in_thread_of(CALLS, give, saga_id=self.id, act_id=token)

    async def _act(self, act: Callable[..., Answer], *, act_id: str | None, **how: Any) -> Answer:
        token = new_act_id() if act_id is None else act_id
        call = partial(act, **how, act_id=token)
        return await in_thread_of(CALLS, call, saga_id=self.id, act_id=token)

    async def wait_async(self, timeout: float | None = None, *, until: Until = None) -> Result:  # noqa: ASYNC109 - as `wait` has it
        """`Handle.wait` for a coroutine: wait for the saga's end, or with `until` for a step, and return its output.

        timeout: longest wait in seconds, which a log that does not answer lengthens by 1 s at most; None is no limit.
        until: a step, or its name, as of `Handle.wait`.

        It holds no thread while it waits. Cancelled, it leaves nothing behind, and nothing of the saga changes. Raises what
        `Handle.wait` does.
        """
        check_outside_of_tasks(f"wait_async() for saga {self.id!r}")
        alert = Alert()
        with awaiting(
            self._log,
            self.id,
            alert,
            until=until,
            timeout=timeout,
            by_outbox=self.is_by_outbox,
        ) as turns:
            limit = None if timeout in (None, inf) else max(timeout or 0.0, 0.0) + _GRACE
            try:
                async with asyncio.timeout(limit) as bounds:
                    while not await _is_enough(turns):
                        turns.end_pause(was_woken=await alert.wait(turns.begin_pause()))
                    return await in_thread_of(LOOKS, self._read_output)
            except TimeoutError:
                if not bounds.expired():
                    raise
        raise turns.as_late()

    @property
    @abstractmethod
    def status(self) -> SagaStatus:
        """The present status."""

    @property
    @abstractmethod
    def outcome(self) -> str | None:
        """The outcome."""

    @property
    @abstractmethod
    def _log(self) -> SagaLog:
        """The saga log of the current app."""

    @abstractmethod
    def _read_output(self) -> Result:
        """Read the saga's output, as far as it is filled."""


async def _is_enough(turns: Turns) -> bool:
    try:
        return await run_in(LOOKS, partial(turns.outlasting, turns.is_enough))
    except NoThread:  # they look for other waits
        return False
