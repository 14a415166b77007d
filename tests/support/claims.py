"""The claim of the record that runs, as tests change it in the log."""

from typing import Any

_PARTS = ("record", "attempt", "at", "given_up_at", "token", "owner")


def change_claim(client: Any, saga: str, **changes: Any) -> None:
    """Give parts of the running record's claim other values, in the saga of this key; times are ms."""
    claim = dict(zip(_PARTS, client.hget(saga, "claim").split("|", 5), strict=True))
    client.hset(saga, "claim", "|".join(map(str, (claim | changes).values())))


def age_claim(client: Any, saga: str, ms: int) -> None:
    """Let the running record, if any, have been claimed so much earlier, and be given up so much earlier."""
    claim = client.hget(saga, "claim")
    if claim:
        _, _, at, given_up_at, *_ = claim.split("|")
        change_claim(client, saga, at=int(at) - ms, given_up_at=int(given_up_at) - ms)
