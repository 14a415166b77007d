"""Starts of sagas in the caller's own database transaction."""

import uuid
from abc import abstractmethod
from collections.abc import Awaitable
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar, overload

from celery import Celery
from celery.app import app_or_default
from pydantic import BaseModel

from amends.definition.itinerary import Itinerary
from amends.log.keys import SagaId, id_text
from amends.outbox.adapters import write_in, write_on_commit
from amends.outbox.entry import Entry
from amends.saga.begin_times import checked_begins
from amends.saga.handle import Handle
from amends.traces.sagas import caught

Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)


class AsyncOwner(Protocol):
    """A session or connection of SQLAlchemy's asyncio extension, told apart by its type of `close`."""

    def close(self) -> Awaitable[None]:
        """Close it."""


class Owner(Protocol):
    """A session or connection of SQLAlchemy."""

    def close(self) -> None:
        """Close it."""


class TransactionalStarts(Generic[Input, Output]):
    """The part of `amends.Saga` that starts sagas through the outbox."""

    name: str
    itinerary: Itinerary

    @overload
    def start_in(
        self,
        session: AsyncOwner,
        saga_input: Input,
        *,
        saga_id: SagaId | None = None,
        at: datetime | None = None,
        after: float | None = None,
    ) -> Awaitable[Handle[Output]]: ...

    @overload
    def start_in(
        self,
        session: Owner,
        saga_input: Input,
        *,
        saga_id: SagaId | None = None,
        at: datetime | None = None,
        after: float | None = None,
    ) -> Handle[Output]: ...

    def start_in(
        self,
        session: Any,
        saga_input: Input,
        *,
        saga_id: SagaId | None = None,
        at: datetime | None = None,
        after: float | None = None,
    ) -> Any:
        """Start a saga if the transaction that is open in a session of SQLAlchemy is committed, and only then.

        It writes a row to the table ``amends_outbox``. Right after the commit this process starts the saga by it; what a crash
        or an outage left is started by the relay of a worker with `amends_outbox_url`.

        session: a session or connection, also a scoped one. Of one of the asyncio extension it has to be awaited:
            ``handle = await saga.start_in(session, order)``.
        saga_input, saga_id: as in `start`. The same id in another transaction is the same saga.
        at, after: as in `start`; `after` counts from this call.

        Returns the handle at once. Its status raises `UnknownSaga` until the saga is started, and for good after a rollback. Its
        `wait` with a timeout waits for the start too, and raises `TimeoutError`.

        Raises ``ValueError`` for an invalid id, input or time, ``TypeError`` for another session,
        ``RuntimeError`` for a connection that commits each statement by itself (AUTOCOMMIT), `OutboxUnavailable` if the database
        did not take the row, and `ConfigurationError` without the table. That the id belongs to another saga is found after
        the commit: the row stays, with its error.
        """
        app = app_or_default()
        entry = self._entry(app, saga_input, saga_id, at=at, after=after)
        handle = self._handle(entry.saga_id).started_by_outbox()
        written = write_in(session, app, entry)
        return handle if written is None else _then(written, handle)

    def start_on_commit(
        self,
        saga_input: Input,
        *,
        saga_id: SagaId | None = None,
        at: datetime | None = None,
        after: float | None = None,
        using: str | None = None,
    ) -> Handle[Output]:
        """Start a saga if the transaction that is open in Django is committed, and only then; call it inside of ``atomic()``.

        It is `start_in` for Django: the row is written through a connection of DATABASES, and delivered by ``on_commit``.

        saga_input, saga_id: as in `start`.
        at, after: as in `start`; `after` counts from this call.
        using: alias of the database; by default ``default``.

        Returns and raises what `start_in` does, and ``RuntimeError`` outside of ``atomic()``.
        """
        app = app_or_default()
        entry = self._entry(app, saga_input, saga_id, at=at, after=after)
        write_on_commit(using, app, entry)
        return self._handle(entry.saga_id).started_by_outbox()

    def _entry(self, app: Celery, saga_input: Input, saga_id: SagaId | None, **when: Any) -> Entry:
        """Return the entry of a start, after the checks of `start`."""
        new_id = uuid.uuid4().hex if saga_id is None else id_text(saga_id)
        text, *_ = self._checked_input(new_id, saga_input)
        checked_begins(app, self.itinerary, [new_id], **when)
        return Entry.of(new_id, self.name, text, trace=caught(app), **when)

    @abstractmethod
    def _checked_input(self, saga_id: str, value: Input) -> tuple[str, ...]:
        """Return an input as the log keeps it, and more. Raises ``ValueError``."""

    @abstractmethod
    def _handle(self, saga_id: SagaId) -> Handle[Output]:
        """Return the handle of a saga."""


async def _then(written: Awaitable[None], handle: Handle[Output]) -> Handle[Output]:
    await written
    return handle
