"""How many sagas are paused, and when their deadlines come."""

from collections.abc import Sequence
from time import time
from typing import Any

from amends.cli.formatting import clock, duration
from amends.cli.output import Output
from amends.errors import ConfigurationError, LogUnavailable
from amends.log.queries.listing import store_of
from amends.log.queries.paused import PausedSaga, PausedSagas, read_paused
from amends.log.store import redis_now


def tell_paused(output: Output, paused: PausedSagas) -> None:
    """Print how many sagas are paused, since when, and the deadline that comes first."""
    if paused.sagas:
        more = " or more" if paused.is_cut else ""
        output.line(
            f"{len(paused.sagas):,}{more} paused, the first since {duration(paused.oldest)}",
            fg="yellow",
        )
        output.line(f"    {output.command_line('list', '--paused')}", fg="cyan")
    if first := paused.next_deadline:
        output.line(
            f"The first deadline of these comes in {duration(first.time_left or 0.0)}: {first.id}"
        )
    if not paused.is_complete:
        output.line(
            "An earlier release paused sagas: a worker of this one counts them within a minute."
        )


def paused_json(paused: PausedSagas) -> dict[str, Any]:
    """Give the paused sagas as a JSON document, without their ids."""
    first = paused.next_deadline
    return {
        "count": len(paused.sagas),
        "is_cut": paused.is_cut,
        "is_complete": paused.is_complete,
        "oldest": round(paused.oldest, 3),
        "next_deadline": first and {"id": first.id, "in": round(first.time_left or 0.0, 3)},
    }


def deadlines_of(output: Output, saga_ids: Sequence[str]) -> list[PausedSaga]:
    """Read those of these sagas that are paused; none if the log is away by now."""
    store = store_of(output.app)
    try:
        return read_paused(store, saga_ids, now=store.read(redis_now) / 1000)
    except (LogUnavailable, ConfigurationError):
        return []


def tell_deadlines(output: Output, paused: Sequence[PausedSaga]) -> None:
    """Say when the first deadline of these sagas comes, and what it does to one that is paused."""
    ahead = sorted((each.time_left, each.id) for each in paused if each.time_left is not None)
    for left, saga_id in ahead[:1]:
        whose = "Its deadline" if len(ahead) == 1 else f"The first deadline, of {saga_id},"
        output.line(
            f"{whose} comes in {duration(left)}, at {clock(time() + left, time())}, paused or not:"
        )
        output.line("it turns back then, but for one past its point of no return, and its")
        output.line("compensations begin once it is resumed.")
