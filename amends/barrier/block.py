"""A block of a receiver's code that stands or falls with the row of an idempotency key."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

from amends.barrier.adapters import is_async, transaction_of
from amends.barrier.calls import Call, Undo
from amends.barrier.idempotency_key import checked_key
from amends.barrier.statements import IN_FORCE, TOMBSTONE
from amends.barrier.transaction import Transaction
from amends.errors import BarrierBusy, Refused

Entered = TypeVar("Entered", bound=Call | Undo)


def barrier(connection: Any, key: str) -> "Block[Call]":
    """Let the effect of a key be made once, in the transaction that is open here.

    A duplicate waits for a call that is still open, and then gets its answer, or makes the effect if that one was rolled
    back. An exception that leaves the block rolls the transaction back, and the row with it.

    connection: a session or connection of SQLAlchemy, of its asyncio extension (``async with``), a connection of Django
        or its alias. The effect has to be made in the same transaction, and the receiver commits it.
    key: the idempotency key: ``context().idempotency_key``, or what a request's header says.

    The block gets a `Call`. Entering it raises `Refused` if the key was undone, `BarrierBusy` if another transaction was
    in the way, `ConfigurationError` without the table or for another database, ``ValueError`` for a key that is none, and
    ``RuntimeError`` without a transaction. Leaving it raises ``RuntimeError`` if the transaction ended inside, also by the
    database itself, after an error that was caught there.
    """
    return Block(connection, key, _call)


def undoing(connection: Any, key: str) -> "Block[Undo]":
    """Let the effect of a key be undone once, or leave a tombstone that refuses the call if it comes later.

    connection: as in `barrier`.
    key: the idempotency key of the call: ``context().undoes.idempotency_key``.

    The block gets an `Undo`. It raises what `barrier` raises, but for `Refused`.
    """
    return Block(connection, key, _undo)


class Block(Generic[Entered]):
    """A context manager, for ``with`` and ``async with``; made by `barrier` and `undoing`."""

    def __init__(
        self, connection: Any, key: str, enter: Callable[[Transaction, str], Entered]
    ) -> None:
        self._connection = connection
        self._key = checked_key(key)
        self._enter = enter

    def __enter__(self) -> Entered:
        if is_async(self._connection):
            raise RuntimeError("this connection is SQLAlchemy's for asyncio: use 'async with'")
        return self._begin(self._connection)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(error)

    async def __aenter__(self) -> Entered:
        if not is_async(self._connection):
            raise RuntimeError("this connection is not for asyncio: use 'with'")
        entered: Entered = await self._connection.run_sync(self._begin)
        return entered

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._connection.run_sync(lambda _: self._end(error))

    def _begin(self, connection: Any) -> Entered:
        self._transaction = transaction_of(connection, self._key)
        self._entered = self._enter(self._transaction, self._key)
        return self._entered

    def _end(self, error: BaseException | None) -> None:
        if error is not None:
            self._transaction.roll_back()
        elif self._entered.written_at is not None and not self._settle(self._entered.written_at):
            self._transaction.roll_back()  # what was done after the row was gone
            raise RuntimeError(
                f"the transaction of {self._key!r} ended inside of the barrier's block: commit it after the block, and let an"
                " error of the database leave the block, for that may have rolled it back"
            )

    def _settle(self, written_at: float) -> bool:
        """Write the answer that is to be kept; return whether the block's row is still there to go with the effect."""
        if self._transaction.is_over():
            return False
        values: dict[str, Any] = {"key": self._key, "now": written_at}
        statements = self._transaction.statements
        if isinstance(self._entered, Call) and self._entered.to_write is not None:
            values["answer"] = self._entered.to_write
            return self._transaction.run(statements.keep, values) == 1
        return self._transaction.read(statements.own, values) is not None


def _call(transaction: Transaction, key: str) -> Call:
    if _insert(transaction, key, IN_FORCE, now := time.time()):
        return Call(is_first=True, written_at=now)
    state, answer = _find(transaction, key)
    if state != IN_FORCE:
        raise Refused(f"{key!r} was undone: nothing is done under it any more")
    return Call(is_first=False, answer=answer)


def _undo(transaction: Transaction, key: str) -> Undo:
    if _insert(transaction, key, TOMBSTONE, now := time.time()):
        return Undo(took_effect=False, written_at=now)
    if not transaction.run(transaction.statements.undo, {"key": key, "now": now}):
        return Undo(took_effect=False)
    _, answer = _find(transaction, key)
    return Undo(took_effect=True, answer=answer, written_at=now)


def _insert(transaction: Transaction, key: str, state: str, now: float) -> bool:
    """Write the row of a key; return whether it had none.

    Written first and looked up second: of two transactions the database lets one in, and the other waits for it.
    """
    values = {"key": key, "state": state, "now": now}
    return bool(transaction.run(transaction.statements.insert, values))


def _find(transaction: Transaction, key: str) -> tuple[Any, ...]:
    row = transaction.read(transaction.statements.find, {"key": key})
    if row is None:
        raise BarrierBusy("it was forgotten at this moment", key)
    return row
