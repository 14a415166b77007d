"""How long the barrier keeps the row of a key."""

import time
from typing import Any, Final

from amends.barrier.adapters import transaction_of

DAY: Final = 86400.0
AGE: Final = 365 * DAY
"""Seconds from a row's last change until it may be forgotten."""
LEAST_AGE: Final = 97 * DAY
"""A saga that lives for 90 days, and the default of `amends_retention`."""


def forget(
    connection: Any, *, older_than: float = AGE, least: float = LEAST_AGE, limit: int = 1000
) -> int:
    """Delete old rows, in the transaction that is open here; return how many.

    Without its row a call that comes again takes effect again, and an undo that comes does nothing. So a row has to be
    kept for longer than any saga lives, stuck ones too, and its retention: past that neither can come.

    connection: as in `amends.barrier.barrier`; for asyncio ``await session.run_sync(forget)``.
    older_than: seconds since the row was written or undone. By default a year.
    least: the longest life of a saga plus `amends_retention`, in seconds. By default 97 days.
    limit: of rows in this batch. Commit and call again while it returns as many.

    Raises ``ValueError`` for an age below `least`, and what `amends.barrier.barrier` raises for its connection.
    """
    transaction = transaction_of(connection)
    before = time.time() - checked_age(older_than, least)
    return transaction.run(transaction.statements.forget, {"before": before, "limit": limit})


def checked_age(older_than: float, least: float) -> float:
    """Return `older_than`. Raises ``ValueError`` if it is below `least`."""
    if older_than < least:
        raise ValueError(
            f"a row of {older_than:,.0f} s may be that of a saga that still runs: keep it for {least:,.0f} s, or say by least="
            " what the longest life of your sagas and their retention are together, in seconds"
        )
    return older_than
