"""What a wait is for, and what comes of it, in words."""

from collections.abc import Iterator

from amends.cli.formatting import duration
from amends.log.queries.open_waits import OpenWait


def wait_words(wait: OpenWait, left: float | None) -> Iterator[str]:
    """Say in a few words how far a wait is.

    left: seconds until it is over at the latest, None where no time ends it.
    """
    yield from words_of(wait.wanted, wait.signals, left)


def words_of(wanted: int, signals: int, left: float | None) -> Iterator[str]:
    """Say how many of several signals came, and how long it lasts yet."""
    if wanted > 1:
        yield f"{signals} of {wanted} signals"
    if left is not None:
        yield f"{duration(left)} left" if left else "over now"


def waits_for(wait: OpenWait) -> str:
    """Say what a wait is for."""
    if not wait.wanted:
        return "a time"
    if wait.wanted == 1:
        return "its signal"
    return f"{wait.wanted} signals, and has {wait.signals}"


def at_its_end(wait: OpenWait, *, has_passed_pivot: bool) -> str:
    """Say what the saga does when the time of a wait is over."""
    if not wait.wanted:
        return "it goes on"
    if wait.on_timeout == "continue":
        return "it goes on without"
    return "it is stuck" if has_passed_pivot else f"it turns back as {wait.outcome}"
